-- The database of a hospital's application: tables and columns as a real hospital application made with Prisma has
-- them. The tests of adopt/hospital-prisma.sql run on it.
--
-- Column names are camelCase. Keys are uuids kept as text. Times of day are text: "HH:MM", and "9:00" too. A day is a
-- timestamp at midnight UTC; a rescheduled visit has an hour in it. Ids and "updatedAt" come from the application's
-- client, so the database has no default for them. Nothing is checked: Prisma makes no CHECK.

CREATE TYPE "UserRole" AS ENUM (
    'SUPER_ADMIN', 'HOSPITAL_ADMIN', 'DOCTOR', 'NURSE', 'RECEPTIONIST', 'LAB_TECHNICIAN', 'PATHOLOGIST', 'PHARMACIST',
    'RADIOLOGIST', 'ACCOUNTANT', 'PATIENT', 'HR_MANAGER', 'HR_STAFF', 'HOUSEKEEPING_MANAGER', 'HOUSEKEEPING_STAFF',
    'MAINTENANCE_STAFF', 'SECURITY_STAFF', 'DIETARY_STAFF', 'MARKETING', 'PROCUREMENT_MANAGER', 'PROCUREMENT_STAFF');
CREATE TYPE "DayOfWeek" AS ENUM ('MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY');
CREATE TYPE "AbsenceType" AS ENUM ('ANNUAL_LEAVE', 'SICK_LEAVE', 'CONFERENCE', 'TRAINING', 'PERSONAL', 'EMERGENCY',
                                   'OTHER');
CREATE TYPE "AbsenceStatus" AS ENUM ('ACTIVE', 'CANCELLED');
CREATE TYPE "Gender" AS ENUM ('MALE', 'FEMALE', 'OTHER');
CREATE TYPE "BloodGroup" AS ENUM ('A_POSITIVE', 'A_NEGATIVE', 'B_POSITIVE', 'B_NEGATIVE', 'AB_POSITIVE', 'AB_NEGATIVE',
                                  'O_POSITIVE', 'O_NEGATIVE');
CREATE TYPE "MaritalStatus" AS ENUM ('SINGLE', 'MARRIED', 'DIVORCED', 'WIDOWED');
CREATE TYPE "PatientStatus" AS ENUM ('ACTIVE', 'FLAGGED', 'BLOCKED', 'SUSPENDED');
CREATE TYPE "AppointmentType" AS ENUM ('CONSULTATION', 'FOLLOW_UP', 'EMERGENCY', 'TELEMEDICINE', 'PROCEDURE');
CREATE TYPE "AppointmentStatus" AS ENUM ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN', 'IN_PROGRESS', 'COMPLETED',
                                         'CANCELLED', 'NO_SHOW');
CREATE TYPE "NoShowReason" AS ENUM ('AUTO_TIMEOUT', 'MANUAL_STAFF', 'MANUAL_DOCTOR', 'PATIENT_CALLED');
CREATE TYPE "StageAlertType" AS ENUM ('NO_VITALS', 'NO_DOCTOR', 'WAITING_TOO_LONG');
CREATE TYPE "StageAlertStatus" AS ENUM ('ACTIVE', 'ACKNOWLEDGED', 'RESOLVED');
CREATE TYPE "CronJobStatus" AS ENUM ('RUNNING', 'COMPLETED', 'FAILED');
CREATE TYPE "NotificationType" AS ENUM ('APPOINTMENT', 'LAB_RESULT', 'PRESCRIPTION', 'ALERT', 'SYSTEM', 'AI_INSIGHT',
                                        'EMERGENCY', 'BILLING', 'TEAM_BROADCAST');

CREATE TABLE "hospitals" (
    "id"             text NOT NULL,
    "name"           text NOT NULL,
    "code"           text NOT NULL,
    "address"        text NOT NULL,
    "city"           text NOT NULL,
    "state"          text NOT NULL,
    "country"        text NOT NULL,
    "zipCode"        text NOT NULL,
    "phone"          text NOT NULL,
    "email"          text NOT NULL,
    "whatsappNumber" text,
    "website"        text,
    "logo"           text,
    "licenseNumber"  text NOT NULL,
    "accreditation"  text,
    "bedCapacity"    integer NOT NULL DEFAULT 0,
    "isActive"       boolean NOT NULL DEFAULT true,
    "settings"       jsonb NOT NULL DEFAULT '{}',
    "createdAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp(3) NOT NULL,
    CONSTRAINT "hospitals_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "users" (
    "id"               text NOT NULL,
    "hospitalId"       text NOT NULL,
    "email"            text NOT NULL,
    "password"         text NOT NULL,
    "firstName"        text NOT NULL,
    "lastName"         text NOT NULL,
    "phone"            text,
    "avatar"           text,
    "role"             "UserRole" NOT NULL,
    "isActive"         boolean NOT NULL DEFAULT true,
    "isEmailVerified"  boolean NOT NULL DEFAULT false,
    "lastLogin"        timestamp(3),
    "resetToken"       text,
    "resetTokenExpiry" timestamp(3),
    "createdAt"        timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp(3) NOT NULL,
    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "departments" (
    "id"           text NOT NULL,
    "hospitalId"   text NOT NULL,
    "name"         text NOT NULL,
    "code"         text NOT NULL,
    "description"  text,
    "floor"        text,
    "phone"        text,
    "email"        text,
    "headDoctorId" text,
    "isActive"     boolean NOT NULL DEFAULT true,
    "createdAt"    timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"    timestamp(3) NOT NULL,
    CONSTRAINT "departments_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "doctors" (
    "id"                text NOT NULL,
    "userId"            text NOT NULL,
    "departmentId"      text NOT NULL,
    "specializationId"  text,
    "specialization"    text NOT NULL,
    "qualification"     text NOT NULL,
    "experience"        integer NOT NULL DEFAULT 0,
    "licenseNumber"     text NOT NULL,
    "consultationFee"   numeric(10, 2) NOT NULL,
    "bio"               text,
    "availableDays"     text[] NOT NULL,
    "slotDuration"      integer NOT NULL DEFAULT 30,
    "maxPatientsPerDay" integer NOT NULL DEFAULT 30,
    "isAvailable"       boolean NOT NULL DEFAULT true,
    "rating"            numeric(2, 1) NOT NULL DEFAULT 0,
    "totalReviews"      integer NOT NULL DEFAULT 0,
    "createdAt"         timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"         timestamp(3) NOT NULL,
    CONSTRAINT "doctors_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "doctor_schedules" (
    "id"         text NOT NULL,
    "doctorId"   text NOT NULL,
    "dayOfWeek"  "DayOfWeek" NOT NULL,
    "startTime"  text NOT NULL,
    "endTime"    text NOT NULL,
    "breakStart" text,
    "breakEnd"   text,
    "isActive"   boolean NOT NULL DEFAULT true,
    "createdAt"  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  timestamp(3) NOT NULL,
    CONSTRAINT "doctor_schedules_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "doctor_slots" (
    "id"            text NOT NULL,
    "doctorId"      text NOT NULL,
    "hospitalId"    text NOT NULL,
    "slotDate"      date NOT NULL,
    "startTime"     text NOT NULL,
    "endTime"       text NOT NULL,
    "isAvailable"   boolean NOT NULL DEFAULT true,
    "isBlocked"     boolean NOT NULL DEFAULT false,
    "appointmentId" text,
    "createdAt"     timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     timestamp(3) NOT NULL,
    CONSTRAINT "doctor_slots_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "doctor_absences" (
    "id"          text NOT NULL,
    "doctorId"    text NOT NULL,
    "hospitalId"  text NOT NULL,
    "startDate"   date NOT NULL,
    "endDate"     date NOT NULL,
    "absenceType" "AbsenceType" NOT NULL DEFAULT 'OTHER',
    "reason"      text,
    "notes"       text,
    "isFullDay"   boolean NOT NULL DEFAULT true,
    "startTime"   text,
    "endTime"     text,
    "status"      "AbsenceStatus" NOT NULL DEFAULT 'ACTIVE',
    "createdBy"   text NOT NULL,
    "createdAt"   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"   timestamp(3) NOT NULL,
    CONSTRAINT "doctor_absences_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "patients" (
    "id"               text NOT NULL,
    "oderId"           text,
    "hospitalId"       text NOT NULL,
    "mrn"              text NOT NULL,
    "firstName"        text NOT NULL,
    "lastName"         text NOT NULL,
    "dateOfBirth"      timestamp(3) NOT NULL,
    "gender"           "Gender" NOT NULL,
    "bloodGroup"       "BloodGroup",
    "phone"            text NOT NULL,
    "email"            text,
    "emiratesId"       text,
    "address"          text NOT NULL,
    "city"             text NOT NULL,
    "state"            text NOT NULL,
    "zipCode"          text NOT NULL,
    "emergencyContact" text,
    "emergencyPhone"   text,
    "occupation"       text,
    "maritalStatus"    "MaritalStatus",
    "nationality"      text,
    "photo"            text,
    "isActive"         boolean NOT NULL DEFAULT true,
    "status"           "PatientStatus" NOT NULL DEFAULT 'ACTIVE',
    "noShowCount"      integer NOT NULL DEFAULT 0,
    "lastNoShowAt"     timestamp(3),
    "blockedAt"        timestamp(3),
    "blockedReason"    text,
    "createdAt"        timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp(3) NOT NULL,
    CONSTRAINT "patients_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "appointments" (
    "id"                      text NOT NULL,
    "hospitalId"              text NOT NULL,
    "patientId"               text NOT NULL,
    "doctorId"                text NOT NULL,
    "appointmentDate"         timestamp(3) NOT NULL,
    "startTime"               text NOT NULL,
    "endTime"                 text NOT NULL,
    "type"                    "AppointmentType" NOT NULL,
    "status"                  "AppointmentStatus" NOT NULL DEFAULT 'SCHEDULED',
    "reason"                  text,
    "notes"                   text,
    "isFollowUp"              boolean NOT NULL DEFAULT false,
    "parentAppointmentId"     text,
    "tokenNumber"             integer,
    "checkedInAt"             timestamp(3),
    "vitalsRecordedAt"        timestamp(3),
    "copayCollected"          boolean NOT NULL DEFAULT false,
    "copayAmount"             numeric(10, 2),
    "copayWaived"             boolean NOT NULL DEFAULT false,
    "copayWaivedReason"       text,
    "copayWaivedBy"           text,
    "copayWaivedAt"           timestamp(3),
    "copayVerificationStatus" text,
    "copayVerificationFlag"   text,
    "copayAutoVerified"       boolean NOT NULL DEFAULT false,
    "selfPay"                 boolean NOT NULL DEFAULT false,
    "selfPayConvertedAt"      timestamp(3),
    "selfPayConvertedBy"      text,
    "selfPayReason"           text,
    "createdAt"               timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"               timestamp(3) NOT NULL,
    CONSTRAINT "appointments_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "no_show_logs" (
    "id"               text NOT NULL,
    "hospitalId"       text NOT NULL,
    "appointmentId"    text NOT NULL,
    "patientId"        text NOT NULL,
    "doctorId"         text NOT NULL,
    "reason"           "NoShowReason" NOT NULL,
    "slotTime"         text NOT NULL,
    "timeoutMinutes"   integer NOT NULL,
    "triggeredAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "slotReleased"     boolean NOT NULL DEFAULT false,
    "slotReleasedAt"   timestamp(3),
    "notificationSent" boolean NOT NULL DEFAULT false,
    "notes"            text,
    "createdBy"        text,
    CONSTRAINT "no_show_logs_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "stage_alerts" (
    "id"             text NOT NULL,
    "hospitalId"     text NOT NULL,
    "appointmentId"  text NOT NULL,
    "patientId"      text NOT NULL,
    "doctorId"       text NOT NULL,
    "alertType"      "StageAlertType" NOT NULL,
    "status"         "StageAlertStatus" NOT NULL DEFAULT 'ACTIVE',
    "message"        text NOT NULL,
    "triggeredAt"    timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "acknowledgedAt" timestamp(3),
    "acknowledgedBy" text,
    "resolvedAt"     timestamp(3),
    "resolvedBy"     text,
    CONSTRAINT "stage_alerts_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "cron_job_runs" (
    "id"             text NOT NULL,
    "jobName"        text NOT NULL,
    "status"         "CronJobStatus" NOT NULL DEFAULT 'RUNNING',
    "startedAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completedAt"    timestamp(3),
    "durationMs"     integer,
    "itemsProcessed" integer NOT NULL DEFAULT 0,
    "errorMessage"   text,
    "metadata"       jsonb,
    CONSTRAINT "cron_job_runs_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "notifications" (
    "id"        text NOT NULL,
    "userId"    text NOT NULL,
    "title"     text NOT NULL,
    "message"   text NOT NULL,
    "type"      "NotificationType" NOT NULL,
    "isRead"    boolean NOT NULL DEFAULT false,
    "data"      jsonb,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "notifications_pkey" PRIMARY KEY ("id")
);

-- Prisma keeps what is unique as an index, without a constraint. There are no other indexes.
CREATE UNIQUE INDEX "hospitals_code_key" ON "hospitals" ("code");
CREATE UNIQUE INDEX "users_hospitalId_email_key" ON "users" ("hospitalId", "email");
CREATE UNIQUE INDEX "departments_hospitalId_code_key" ON "departments" ("hospitalId", "code");
CREATE UNIQUE INDEX "doctors_userId_key" ON "doctors" ("userId");
CREATE UNIQUE INDEX "doctor_schedules_doctorId_dayOfWeek_key" ON "doctor_schedules" ("doctorId", "dayOfWeek");
CREATE UNIQUE INDEX "doctor_slots_appointmentId_key" ON "doctor_slots" ("appointmentId");
CREATE UNIQUE INDEX "doctor_slots_doctorId_slotDate_startTime_key"
    ON "doctor_slots" ("doctorId", "slotDate", "startTime");
CREATE UNIQUE INDEX "patients_oderId_key" ON "patients" ("oderId");
CREATE UNIQUE INDEX "patients_hospitalId_mrn_key" ON "patients" ("hospitalId", "mrn");
CREATE UNIQUE INDEX "patients_hospitalId_phone_key" ON "patients" ("hospitalId", "phone");

-- Foreign keys as Prisma makes them: RESTRICT where the relation is required, SET NULL where it is optional, CASCADE
-- where the application says so (a log and an alert go with their visit, a notice with its user).
ALTER TABLE "users" ADD CONSTRAINT "users_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "departments" ADD CONSTRAINT "departments_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "doctors"
    ADD CONSTRAINT "doctors_userId_fkey"
    FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "doctors_departmentId_fkey"
    FOREIGN KEY ("departmentId") REFERENCES "departments" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "doctor_schedules" ADD CONSTRAINT "doctor_schedules_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "doctor_slots"
    ADD CONSTRAINT "doctor_slots_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "doctor_slots_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "doctor_slots_appointmentId_fkey"
    FOREIGN KEY ("appointmentId") REFERENCES "appointments" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "doctor_absences"
    ADD CONSTRAINT "doctor_absences_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "doctor_absences_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "patients" ADD CONSTRAINT "patients_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "appointments"
    ADD CONSTRAINT "appointments_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "appointments_patientId_fkey"
    FOREIGN KEY ("patientId") REFERENCES "patients" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "appointments_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "appointments_parentAppointmentId_fkey"
    FOREIGN KEY ("parentAppointmentId") REFERENCES "appointments" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "no_show_logs"
    ADD CONSTRAINT "no_show_logs_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "no_show_logs_appointmentId_fkey"
    FOREIGN KEY ("appointmentId") REFERENCES "appointments" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    ADD CONSTRAINT "no_show_logs_patientId_fkey"
    FOREIGN KEY ("patientId") REFERENCES "patients" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "no_show_logs_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "no_show_logs_createdBy_fkey"
    FOREIGN KEY ("createdBy") REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "stage_alerts"
    ADD CONSTRAINT "stage_alerts_hospitalId_fkey"
    FOREIGN KEY ("hospitalId") REFERENCES "hospitals" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "stage_alerts_appointmentId_fkey"
    FOREIGN KEY ("appointmentId") REFERENCES "appointments" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    ADD CONSTRAINT "stage_alerts_patientId_fkey"
    FOREIGN KEY ("patientId") REFERENCES "patients" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "stage_alerts_doctorId_fkey"
    FOREIGN KEY ("doctorId") REFERENCES "doctors" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT "stage_alerts_acknowledgedBy_fkey"
    FOREIGN KEY ("acknowledgedBy") REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    ADD CONSTRAINT "stage_alerts_resolvedBy_fkey"
    FOREIGN KEY ("resolvedBy") REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_userId_fkey"
    FOREIGN KEY ("userId") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
