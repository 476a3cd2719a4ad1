-- A reference set of the clinic's tables, for a database that begins with nothing: the shapes that the jobs expect.

CREATE TABLE facilities (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                   text NOT NULL,
    time_zone              text NOT NULL,         -- an IANA name; one that the server does not know raises an error here
    no_show_after_minutes  integer CHECK (no_show_after_minutes > 0),   -- NULL: the doctor's slot length
    waiting_alert_minutes  integer CHECK (waiting_alert_minutes > 0),   -- NULL: the job's --waiting-minutes, if any
    country                text CHECK (country ~ '^[A-Z]{2}$'),         -- ISO 3166-1 alpha-2; NULL: not known
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

-- The hours in which a doctor sees patients on a day of the week, by the facility's clock.
CREATE TABLE doctor_schedules (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id   bigint NOT NULL REFERENCES doctors,
    weekday     integer NOT NULL CHECK (weekday BETWEEN 1 AND 7),       -- ISO: 1 is Monday
    start_time  time NOT NULL,
    end_time    time NOT NULL,                -- 24:00 for midnight
    break_start time,
    break_end   time,
    active      boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (start_time < end_time),
    CHECK ((break_start IS NULL) = (break_end IS NULL)),
    CHECK (break_start < break_end)
);
CREATE INDEX doctor_schedules_doctor ON doctor_schedules (doctor_id, weekday) WHERE active;

-- The days on which a doctor is away, both included, by the facility's clock.
CREATE TABLE doctor_absences (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id  bigint NOT NULL REFERENCES doctors,
    type       text NOT NULL DEFAULT 'OTHER' CHECK (type IN ('EMERGENCY', 'ANNUAL_LEAVE', 'SICK_LEAVE', 'CONFERENCE',
                                                             'TRAINING', 'PERSONAL', 'OTHER')),
    first_day  date NOT NULL,
    last_day   date NOT NULL,
    start_time time,                          -- on the first day; NULL: from its beginning
    end_time   time,                          -- on the last day; NULL: to its end
    status     text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'CANCELLED')),
    reason     text,
    CHECK (first_day <= last_day),
    CHECK (isfinite(first_day) AND isfinite(last_day)),
    CHECK (first_day < last_day OR start_time < end_time)
);
CREATE INDEX doctor_absences_active ON doctor_absences (doctor_id, last_day) WHERE status = 'ACTIVE';

CREATE TABLE departments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id bigint NOT NULL REFERENCES facilities,
    name        text NOT NULL,
    UNIQUE (id, facility_id)
);

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
    department_id      bigint REFERENCES departments,
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
CREATE INDEX patients_email ON patients (lower(btrim(email))) WHERE email IS NOT NULL;

CREATE TABLE px_cases (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id            bigint NOT NULL REFERENCES facilities,
    appointment_id         bigint REFERENCES appointments,       -- the visit that it is about
    status                 text NOT NULL DEFAULT 'OPEN'
                           CHECK (status IN ('OPEN', 'IN_PROGRESS', 'ESCALATED', 'RESOLVED', 'CLOSED')),
    severity               text NOT NULL DEFAULT 'MEDIUM' CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    description            text,
    assigned_department_id bigint,
    assigned_role          text,
    assigned_user_id       bigint REFERENCES users,
    sla_minutes            integer CHECK (sla_minutes > 0),
    due_at                 timestamptz,                          -- NULL: nothing is promised
    escalation_level       integer NOT NULL DEFAULT 0 CHECK (escalation_level BETWEEN 0 AND 3),
    escalated_at           timestamptz,
    active                 boolean,                              -- NULL counts as active
    created_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A facility's cases never reach another's department.
    FOREIGN KEY (assigned_department_id, facility_id) REFERENCES departments (id, facility_id),
    CHECK (status <> 'ESCALATED' OR (escalation_level > 0 AND escalated_at IS NOT NULL))
);
CREATE INDEX px_cases_awaited ON px_cases (due_at) WHERE status IN ('OPEN', 'IN_PROGRESS') AND active IS NOT FALSE;
CREATE INDEX px_cases_escalated ON px_cases (escalated_at)
    WHERE status = 'ESCALATED' AND active IS NOT FALSE AND escalation_level < 3;

CREATE TABLE teams (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL,
    active boolean NOT NULL DEFAULT true
);
CREATE TABLE team_members (
    team_id   bigint NOT NULL REFERENCES teams,
    user_id   bigint NOT NULL REFERENCES users,
    is_leader boolean NOT NULL DEFAULT false,
    PRIMARY KEY (team_id, user_id)
);

CREATE TABLE tickets (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number            text NOT NULL UNIQUE,                      -- as people call it
    facility_id       bigint REFERENCES facilities,              -- NULL: the whole group's
    title             text NOT NULL,
    status            text NOT NULL DEFAULT 'OPEN'
                      CHECK (status IN ('OPEN', 'IN_PROGRESS', 'WAITING', 'RESOLVED', 'CLOSED')),
    status_changed_at timestamptz DEFAULT clock_timestamp(),     -- NULL: not known
    priority          text NOT NULL DEFAULT 'MEDIUM' CHECK (priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
    created_by        bigint REFERENCES users,
    assignee_id       bigint REFERENCES users,
    team_id           bigint REFERENCES teams,
    sla_due_at        timestamptz,
    custom_sla_due_at timestamptz,                               -- comes before everything else
    customer_rating   integer CHECK (customer_rating BETWEEN 1 AND 5),
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX tickets_open ON tickets (id) WHERE status NOT IN ('RESOLVED', 'CLOSED');

CREATE TABLE ticket_followers (
    ticket_id bigint NOT NULL REFERENCES tickets,
    user_id   bigint NOT NULL REFERENCES users,
    PRIMARY KEY (ticket_id, user_id)
);

CREATE TABLE ticket_comments (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id           bigint NOT NULL REFERENCES tickets,
    author_id           bigint REFERENCES users,
    body                text NOT NULL,
    visible_to_customer boolean NOT NULL DEFAULT false,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ticket_comments_visible ON ticket_comments (ticket_id, created_at DESC) WHERE visible_to_customer;

CREATE TABLE sla_policies (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    priority           text NOT NULL CHECK (priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
    resolution_minutes integer NOT NULL CHECK (resolution_minutes > 0),
    active             boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE notification_preferences (
    user_id bigint PRIMARY KEY REFERENCES users,
    in_app  boolean NOT NULL DEFAULT true,
    email   boolean NOT NULL DEFAULT false
);

-- What is to happen to tickets when. The shapes of condition and action are the program's to check: a rule that is wrong
-- is reported by its id, and the others run.
CREATE TABLE escalation_rules (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    position       integer NOT NULL,
    active         boolean NOT NULL DEFAULT true,
    condition_type text NOT NULL,
    condition      jsonb NOT NULL DEFAULT '{}',
    action_type    text NOT NULL,
    action         jsonb NOT NULL DEFAULT '{}',
    cooldown_hours double precision CHECK (cooldown_hours > 0)   -- NULL: once, until its condition has been false
);

-- What a case can be, and which of its columns says since when.
CREATE TABLE surgical_case_statuses (
    status          integer PRIMARY KEY CHECK (status >= 0),
    name            text NOT NULL UNIQUE,
    timestamp_field text NOT NULL UNIQUE CHECK (timestamp_field ~ '^[a-z_]+_ts$')
);
INSERT INTO surgical_case_statuses (status, name, timestamp_field) VALUES
    (7,   'billable',                      'billable_ts'),
    (8,   'docs needed',                   'docs_needed_ts'),
    (10,  'submitted (ready for billing)', 'submitted_ts'),
    (15,  'pending payment',               'pending_payment_ts'),
    (20,  'paid to provider',              'paid_to_provider_ts'),
    (30,  'sent to biller',                'sent_to_biller_ts'),
    (40,  'received payment',              'received_payment_ts'),
    (50,  'negotiation',                   'negotiation_ts'),
    (60,  'settled',                       'settled_ts'),
    (70,  'sent to IDR',                   'sent_to_idr_ts'),
    (80,  'IDR decision',                  'idr_decision_ts'),
    (400, 'rejected',                      'rejected_ts'),
    (500, 'closed',                        'closed_ts');

-- The steps that advance-billing may make without a person's word, each a stage of it. Never backwards.
CREATE TABLE surgical_case_transitions (
    stage       text PRIMARY KEY,
    from_status integer NOT NULL UNIQUE REFERENCES surgical_case_statuses,
    to_status   integer NOT NULL REFERENCES surgical_case_statuses,
    min_dwell   interval NOT NULL CHECK (min_dwell >= interval '0'),  -- after the job itself brought a case to from_status
    CHECK (to_status > from_status)
);
INSERT INTO surgical_case_transitions (stage, from_status, to_status, min_dwell) VALUES
    ('pending-payment', 10, 15, '0'),
    ('paid',            15, 20, '24 hours');

CREATE TABLE surgical_cases (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id         bigint NOT NULL REFERENCES facilities,
    patient_id          bigint NOT NULL REFERENCES patients,
    case_status         integer NOT NULL REFERENCES surgical_case_statuses,
    pay_amount          numeric(12, 2) CHECK (pay_amount >= 0),       -- of the provider; NULL: none is known
    active              boolean NOT NULL DEFAULT true,
    billable_ts         timestamptz,
    docs_needed_ts      timestamptz,
    submitted_ts        timestamptz,
    pending_payment_ts  timestamptz,
    paid_to_provider_ts timestamptz,
    sent_to_biller_ts   timestamptz,
    received_payment_ts timestamptz,
    negotiation_ts      timestamptz,
    settled_ts          timestamptz,
    sent_to_idr_ts      timestamptz,
    idr_decision_ts     timestamptz,
    rejected_ts         timestamptz,
    closed_ts           timestamptz,
    created_ts          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_ts          timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Where the job's steps begin: cases that are past them, most of all, are not in it.
CREATE INDEX surgical_cases_awaited ON surgical_cases (case_status, id) WHERE active AND case_status IN (10, 15);

-- Who looks after patients from outside the clinic.
CREATE TABLE organizations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    facility_id bigint NOT NULL REFERENCES facilities    -- whose clock its patients' imported visits have
);

CREATE TABLE organization_users (
    organization_id bigint NOT NULL REFERENCES organizations,
    user_id         bigint NOT NULL REFERENCES users,
    role            text NOT NULL DEFAULT 'CASE_MANAGER' CHECK (role IN ('CASE_MANAGER')),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX organization_users_user ON organization_users (user_id);

CREATE TABLE patient_organization_affiliations (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id             bigint NOT NULL REFERENCES patients,
    organization_id        bigint NOT NULL REFERENCES organizations,
    status                 text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'pending')),
    UNIQUE (patient_id, organization_id)
);
CREATE INDEX patient_organization_affiliations_active ON patient_organization_affiliations (organization_id, patient_id)
    WHERE status = 'active';

-- Which doctor a practitioner of the account is: by id, else by e-mail.
CREATE TABLE provider_intakeq_settings (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id          bigint NOT NULL REFERENCES doctors,
    practitioner_id    text UNIQUE CHECK (practitioner_id <> ''),
    practitioner_email text CHECK (practitioner_email <> ''),
    CHECK (practitioner_id IS NOT NULL OR practitioner_email IS NOT NULL)
);
CREATE UNIQUE INDEX provider_intakeq_settings_email ON provider_intakeq_settings (lower(practitioner_email));
