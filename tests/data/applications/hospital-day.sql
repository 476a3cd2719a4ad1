-- A small day of the hospital's application (hospital-prisma.sql), to practise on: a hospital, a doctor, a patient, and
-- a visit of yesterday at nine to which nobody came. All data is invented.
INSERT INTO public.hospitals (id, name, code, address, city, state, country, "zipCode", phone, email, "licenseNumber",
                              "updatedAt")
VALUES ('hospital-1', 'Example Hospital', 'EX', '1 Main Street', 'New York', 'NY', 'United States', '10001', '+15550001',
        'desk@example.org', 'L-1', now());
INSERT INTO public.users (id, "hospitalId", email, password, "firstName", "lastName", role, "updatedAt")
VALUES ('user-1', 'hospital-1', 'doctor@example.org', 'x', 'Ada', 'Stone', 'DOCTOR', now()),
       ('user-2', 'hospital-1', 'admin@example.org', 'x', 'Ben', 'Rock', 'HOSPITAL_ADMIN', now());
INSERT INTO public.departments (id, "hospitalId", name, code, "updatedAt")
VALUES ('department-1', 'hospital-1', 'Cardiology', 'CARD', now());
INSERT INTO public.doctors (id, "userId", "departmentId", specialization, qualification, "licenseNumber",
                            "consultationFee", "availableDays", "slotDuration", "updatedAt")
VALUES ('doctor-1', 'user-1', 'department-1', 'Cardiology', 'MD', 'L-2', 100, '{MONDAY}', 15, now());
INSERT INTO public.patients (id, "hospitalId", mrn, "firstName", "lastName", "dateOfBirth", gender, phone, address, city,
                             state, "zipCode", "updatedAt")
VALUES ('patient-1', 'hospital-1', 'M-1', 'Pat', 'Doe', '1980-01-01', 'FEMALE', '+15550002', '2 Main Street', 'New York',
        'NY', '10001', now());
INSERT INTO public.appointments (id, "hospitalId", "patientId", "doctorId", "appointmentDate", "startTime", "endTime",
                                 type, status, "updatedAt")
VALUES ('visit-1', 'hospital-1', 'patient-1', 'doctor-1', current_date - 1, '09:00', '09:15', 'CONSULTATION',
        'SCHEDULED', now());
INSERT INTO public.doctor_slots (id, "doctorId", "hospitalId", "slotDate", "startTime", "endTime", "isAvailable",
                                 "appointmentId", "updatedAt")
VALUES ('slot-1', 'doctor-1', 'hospital-1', current_date - 1, '09:00', '09:15', false, 'visit-1', now());
