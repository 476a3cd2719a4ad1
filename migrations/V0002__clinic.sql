-- The clinic's model that the jobs share.

CREATE TABLE facilities (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                   text NOT NULL,
    time_zone              text NOT NULL,         -- an IANA name; one that the server does not know raises an error here
    no_show_after_minutes  integer CHECK (no_show_after_minutes > 0),   -- NULL: the doctor's slot length
    waiting_alert_minutes  integer CHECK (waiting_alert_minutes > 0),   -- NULL: the job's --waiting-minutes, if any
    CONSTRAINT facilities_time_zone_known CHECK ((timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL)
);

CREATE TABLE users (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id bigint REFERENCES facilities,     -- NULL: of the whole group, staff of none of them
    name        text NOT NULL,
    email       text,
    role        text NOT NULL CHECK (role IN ('HOSPITAL_ADMIN', 'SUPERVISOR', 'RECEPTIONIST', 'NURSE', 'DOCTOR',
                                              'BILLING', 'CASE_MANAGER', 'AGENT', 'MANAGER')),
    active      boolean NOT NULL DEFAULT true
);
CREATE INDEX users_staff ON users (facility_id, role) WHERE active;

CREATE TABLE doctors (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id           bigint NOT NULL REFERENCES facilities,
    user_id               bigint UNIQUE REFERENCES users,               -- NULL: has no login, gets no notices
    first_name            text NOT NULL,
    last_name             text NOT NULL,
    slot_duration_minutes integer CHECK (slot_duration_minutes BETWEEN 1 AND 1440)  -- NULL: not set up yet
);

CREATE TABLE doctor_absences (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id bigint NOT NULL REFERENCES doctors,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    status    text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'CANCELLED')),
    reason    text,
    CHECK (starts_at < ends_at)
);
CREATE INDEX doctor_absences_active ON doctor_absences (doctor_id, ends_at) WHERE status = 'ACTIVE';

CREATE TABLE patients (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mrn           text NOT NULL UNIQUE,           -- medical record number
    first_name    text NOT NULL,
    last_name     text NOT NULL,
    date_of_birth date,
    email         text,
    phone         text CHECK (phone <> ''),
    sms_opt_out   boolean NOT NULL DEFAULT false
);

CREATE TABLE appointments (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id        bigint NOT NULL REFERENCES facilities,
    doctor_id          bigint REFERENCES doctors,
    patient_id         bigint NOT NULL REFERENCES patients,
    source             text NOT NULL DEFAULT 'LOCAL' CHECK (source IN ('LOCAL', 'PRACTICEQ')),
    external_id        text,
    appointment_date   date NOT NULL,             -- with start_time: wall clock in the facility's zone
    start_time         time NOT NULL,
    status             text NOT NULL DEFAULT 'SCHEDULED'
                       CHECK (status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW',
                                         'CANCELLED')),
    checked_in_at      timestamptz,
    vitals_recorded_at timestamptz,
    cancelled_at       timestamptz,
    cancelled_by       bigint REFERENCES users,
    cancelled_reason   text,
    notes              text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CHECK (isfinite(appointment_date)),
    CHECK (source <> 'LOCAL' OR doctor_id IS NOT NULL),
    CHECK ((source = 'LOCAL') = (external_id IS NULL)),
    CHECK (status <> 'CHECKED_IN' OR checked_in_at IS NOT NULL),
    CHECK (vitals_recorded_at IS NULL OR checked_in_at IS NOT NULL),
    CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL))
);
-- What the jobs look at, and nothing else of ten million rows. All partial: a visit that becomes a no-show leaves them,
-- and every index that it stays in makes the change dearer.
CREATE INDEX appointments_awaited ON appointments (appointment_date)
    WHERE status IN ('SCHEDULED', 'CONFIRMED') AND source = 'LOCAL';
CREATE INDEX appointments_awaited_by_doctor ON appointments (doctor_id, appointment_date)
    WHERE status IN ('SCHEDULED', 'CONFIRMED') AND source = 'LOCAL';
CREATE INDEX appointments_checked_in ON appointments (appointment_date) WHERE status = 'CHECKED_IN';
CREATE UNIQUE INDEX appointments_external_id ON appointments (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE doctor_slots (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id      bigint NOT NULL REFERENCES doctors,
    slot_date      date NOT NULL,                 -- with its times: wall clock in the facility's zone
    start_time     time NOT NULL,
    end_time       time NOT NULL,                 -- 24:00 for midnight
    is_booked      boolean NOT NULL DEFAULT false,
    is_blocked     boolean NOT NULL DEFAULT false,
    appointment_id bigint UNIQUE REFERENCES appointments,
    UNIQUE (doctor_id, slot_date, start_time),
    CHECK (isfinite(slot_date)),
    CHECK (start_time < end_time),
    CHECK (appointment_id IS NULL OR is_booked)
);
