-- A reference set of the clinic's tables, for a database that begins with nothing: the shapes that the jobs expect.

CREATE TABLE facilities (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                   text NOT NULL,
    time_zone              text NOT NULL,
    no_show_after_minutes  integer CHECK (no_show_after_minutes > 0),
    waiting_alert_minutes  integer CHECK (waiting_alert_minutes > 0),
    country                text CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT facilities_time_zone_known CHECK ((timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL)
);

CREATE TABLE users (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id bigint REFERENCES facilities,
    name        text NOT NULL,
    email       text,
    role        text NOT NULL CHECK (role IN ('HOSPITAL_ADMIN', 'SUPERVISOR', 'RECEPTIONIST', 'NURSE', 'DOCTOR',
                                              'BILLING', 'CASE_MANAGER', 'AGENT', 'MANAGER')),
    active      boolean NOT NULL DEFAULT true,
    row_lock    boolean CHECK (row_lock IS NULL)
);
CREATE INDEX users_staff ON users (facility_id, role) WHERE active;

CREATE TABLE doctors (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id           bigint NOT NULL REFERENCES facilities,
    user_id               bigint UNIQUE REFERENCES users,
    first_name            text NOT NULL,
    last_name             text NOT NULL,
    slot_duration_minutes integer CHECK (slot_duration_minutes BETWEEN 1 AND 1440)
);

CREATE TABLE doctor_schedules (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id   bigint NOT NULL REFERENCES doctors,
    weekday     integer NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    start_time  time NOT NULL,
    end_time    time NOT NULL,
    break_start time,
    break_end   time,
    active      boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (start_time < end_time),
    CHECK ((break_start IS NULL) = (break_end IS NULL)),
    CHECK (break_start < break_end)
);
CREATE INDEX doctor_schedules_doctor ON doctor_schedules (doctor_id, weekday);

CREATE TABLE doctor_absences (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id  bigint NOT NULL REFERENCES doctors,
    type       text NOT NULL DEFAULT 'OTHER' CHECK (type IN ('EMERGENCY', 'ANNUAL_LEAVE', 'SICK_LEAVE', 'CONFERENCE',
                                                             'TRAINING', 'PERSONAL', 'OTHER')),
    first_day  date NOT NULL,
    last_day   date NOT NULL,
    start_time time,
    end_time   time,
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
    mrn           text NOT NULL UNIQUE,
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
    appointment_date   date NOT NULL,
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
    row_lock           boolean CHECK (row_lock IS NULL),
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
    WHERE status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN');
CREATE INDEX appointments_cancelled ON appointments (appointment_date) WHERE status = 'CANCELLED' AND source = 'LOCAL';
CREATE INDEX appointments_checked_in ON appointments (appointment_date) WHERE status = 'CHECKED_IN';
CREATE UNIQUE INDEX appointments_external_id ON appointments (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE doctor_slots (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id      bigint NOT NULL REFERENCES doctors,
    slot_date      date NOT NULL,
    start_time     time NOT NULL,
    end_time       time NOT NULL,
    is_booked      boolean NOT NULL DEFAULT false,
    is_blocked     boolean NOT NULL DEFAULT false,
    appointment_id bigint UNIQUE REFERENCES appointments,
    UNIQUE (doctor_id, slot_date, start_time),
    CHECK (isfinite(slot_date)),
    CHECK (start_time < end_time),
    CHECK (appointment_id IS NULL OR is_booked)
);
-- Of a slot of a leave nothing is left to do once it is blocked and not booked.
CREATE INDEX doctor_slots_to_block ON doctor_slots (doctor_id, slot_date) WHERE NOT is_blocked OR is_booked;
CREATE INDEX patients_email ON patients (lower(btrim(email))) WHERE email IS NOT NULL;

CREATE TABLE px_cases (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id            bigint NOT NULL REFERENCES facilities,
    appointment_id         bigint REFERENCES appointments,
    status                 text NOT NULL DEFAULT 'OPEN'
                           CHECK (status IN ('OPEN', 'IN_PROGRESS', 'ESCALATED', 'RESOLVED', 'CLOSED')),
    severity               text NOT NULL DEFAULT 'MEDIUM' CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    description            text,
    assigned_department_id bigint,
    assigned_role          text,
    assigned_user_id       bigint REFERENCES users,
    sla_minutes            integer CHECK (sla_minutes > 0),
    due_at                 timestamptz,
    escalation_level       integer NOT NULL DEFAULT 0 CHECK (escalation_level BETWEEN 0 AND 3),
    escalated_at           timestamptz,
    active                 boolean,
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
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL,
    active   boolean NOT NULL DEFAULT true,
    row_lock boolean CHECK (row_lock IS NULL)
);
CREATE TABLE team_members (
    team_id   bigint NOT NULL REFERENCES teams,
    user_id   bigint NOT NULL REFERENCES users,
    is_leader boolean NOT NULL DEFAULT false,
    PRIMARY KEY (team_id, user_id)
);

CREATE TABLE tickets (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number            text NOT NULL UNIQUE,
    facility_id       bigint REFERENCES facilities,
    title             text NOT NULL,
    status            text NOT NULL DEFAULT 'OPEN'
                      CHECK (status IN ('OPEN', 'IN_PROGRESS', 'WAITING', 'RESOLVED', 'CLOSED')),
    status_changed_at timestamptz DEFAULT clock_timestamp(),
    priority          text NOT NULL DEFAULT 'MEDIUM' CHECK (priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
    created_by        bigint REFERENCES users,
    assignee_id       bigint REFERENCES users,
    team_id           bigint REFERENCES teams,
    sla_due_at        timestamptz,
    custom_sla_due_at timestamptz,
    customer_rating   integer CHECK (customer_rating BETWEEN 1 AND 5),
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_lock          boolean CHECK (row_lock IS NULL)
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

CREATE TABLE escalation_rules (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    position       integer NOT NULL,
    active         boolean NOT NULL DEFAULT true,
    condition_type text NOT NULL,
    condition      jsonb NOT NULL DEFAULT '{}',
    action_type    text NOT NULL,
    action         jsonb NOT NULL DEFAULT '{}',
    cooldown_hours double precision CHECK (cooldown_hours > 0 AND cooldown_hours < 'Infinity')
);

CREATE TABLE surgical_case_statuses (
    status          integer PRIMARY KEY CHECK (status >= 0),
    name            text NOT NULL UNIQUE,
    timestamp_field text NOT NULL UNIQUE CHECK (timestamp_field ~ '^[a-z_]+_ts$'),
    row_lock        boolean CHECK (row_lock IS NULL)
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

CREATE TABLE surgical_case_transitions (
    stage       text PRIMARY KEY,
    from_status integer NOT NULL UNIQUE REFERENCES surgical_case_statuses,
    to_status   integer NOT NULL REFERENCES surgical_case_statuses,
    min_dwell   interval NOT NULL CHECK (min_dwell >= interval '0'),
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
    pay_amount          numeric(12, 2) CHECK (pay_amount >= 0 AND pay_amount <> 'NaN'),
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

CREATE TABLE organizations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    facility_id bigint NOT NULL REFERENCES facilities
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

CREATE TABLE provider_intakeq_settings (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id          bigint NOT NULL REFERENCES doctors,
    practitioner_id    text UNIQUE CHECK (practitioner_id <> ''),
    practitioner_email text CHECK (practitioner_email <> ''),
    CHECK (practitioner_id IS NOT NULL OR practitioner_email IS NOT NULL)
);
CREATE UNIQUE INDEX provider_intakeq_settings_email ON provider_intakeq_settings (lower(practitioner_email));

COMMENT ON TABLE facilities IS 'The clinic''s sites.';
COMMENT ON COLUMN facilities.id IS 'The key.';
COMMENT ON COLUMN facilities.name IS 'As people call it.';
COMMENT ON COLUMN facilities.time_zone IS
    'An IANA name. Dates and clock times of visits are in it. One that the server does not know raises an error '
    'here.';
COMMENT ON COLUMN facilities.no_show_after_minutes IS
    'How long after its start a visit becomes a no-show, in minutes; NULL: the doctor''s slot length.';
COMMENT ON COLUMN facilities.waiting_alert_minutes IS
    'How long a patient may wait after check-in before an alert, in minutes; NULL: --waiting-minutes of the job, '
    'if any.';
COMMENT ON COLUMN facilities.country IS 'ISO 3166-1 alpha-2, such as US; NULL: not known.';

COMMENT ON TABLE users IS 'The people who may log in.';
COMMENT ON COLUMN users.id IS 'The key.';
COMMENT ON COLUMN users.facility_id IS 'The site where they work; NULL: staff of the whole group.';
COMMENT ON COLUMN users.name IS 'As people call them.';
COMMENT ON COLUMN users.email IS 'NULL: none.';
COMMENT ON COLUMN users.role IS
    'HOSPITAL_ADMIN, SUPERVISOR, RECEPTIONIST, NURSE, DOCTOR, BILLING, CASE_MANAGER, AGENT or MANAGER.';
COMMENT ON COLUMN users.active IS 'Whether they may act and get notices.';
COMMENT ON COLUMN users.row_lock IS
    'Always NULL: whoever may update this column may lock the row, and change nothing of it.';

COMMENT ON TABLE doctors IS 'Those who see patients.';
COMMENT ON COLUMN doctors.id IS 'The key.';
COMMENT ON COLUMN doctors.facility_id IS 'The site.';
COMMENT ON COLUMN doctors.user_id IS 'The login; NULL: none, so no notices.';
COMMENT ON COLUMN doctors.first_name IS 'The first name.';
COMMENT ON COLUMN doctors.last_name IS 'The last name.';
COMMENT ON COLUMN doctors.slot_duration_minutes IS 'The length of a visit, in minutes; NULL: not set up yet.';

COMMENT ON TABLE doctor_schedules IS
    'The hours in which a doctor sees patients on a day of the week, by the facility''s clock.';
COMMENT ON COLUMN doctor_schedules.id IS 'The key.';
COMMENT ON COLUMN doctor_schedules.doctor_id IS 'The doctor.';
COMMENT ON COLUMN doctor_schedules.weekday IS 'ISO: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN doctor_schedules.start_time IS 'The beginning.';
COMMENT ON COLUMN doctor_schedules.end_time IS 'The end; 24:00 for midnight.';
COMMENT ON COLUMN doctor_schedules.break_start IS 'The beginning of a break; NULL: none.';
COMMENT ON COLUMN doctor_schedules.break_end IS 'The end of the break; NULL: none.';
COMMENT ON COLUMN doctor_schedules.active IS 'Whether it holds.';
COMMENT ON COLUMN doctor_schedules.created_at IS 'When it was made.';
COMMENT ON COLUMN doctor_schedules.updated_at IS 'When it was changed last.';

COMMENT ON TABLE doctor_absences IS 'The days on which a doctor is away, both included, by the facility''s clock.';
COMMENT ON COLUMN doctor_absences.id IS 'The key.';
COMMENT ON COLUMN doctor_absences.doctor_id IS 'The doctor.';
COMMENT ON COLUMN doctor_absences.type IS
    'EMERGENCY, ANNUAL_LEAVE, SICK_LEAVE, CONFERENCE, TRAINING, PERSONAL or OTHER.';
COMMENT ON COLUMN doctor_absences.first_day IS 'The first day.';
COMMENT ON COLUMN doctor_absences.last_day IS 'The last day, included.';
COMMENT ON COLUMN doctor_absences.start_time IS 'On the first day; NULL: from its beginning.';
COMMENT ON COLUMN doctor_absences.end_time IS 'On the last day; NULL: to its end.';
COMMENT ON COLUMN doctor_absences.status IS 'ACTIVE or CANCELLED.';
COMMENT ON COLUMN doctor_absences.reason IS 'Free text; NULL: none.';

COMMENT ON TABLE departments IS 'The departments of a facility, which get notices.';
COMMENT ON COLUMN departments.id IS 'The key.';
COMMENT ON COLUMN departments.facility_id IS 'The site.';
COMMENT ON COLUMN departments.name IS 'As people call it.';

COMMENT ON TABLE patients IS 'The clinic''s patients.';
COMMENT ON COLUMN patients.id IS 'The key.';
COMMENT ON COLUMN patients.mrn IS 'The medical record number.';
COMMENT ON COLUMN patients.first_name IS 'The first name.';
COMMENT ON COLUMN patients.last_name IS 'The last name.';
COMMENT ON COLUMN patients.date_of_birth IS 'NULL: not known.';
COMMENT ON COLUMN patients.email IS 'NULL: none.';
COMMENT ON COLUMN patients.phone IS 'The number for SMS; NULL: none.';
COMMENT ON COLUMN patients.sms_opt_out IS 'Whether the patient wants no SMS.';

COMMENT ON TABLE appointments IS 'The visits.';
COMMENT ON COLUMN appointments.id IS 'The key.';
COMMENT ON COLUMN appointments.facility_id IS 'The site, whose time zone the date and the time are in.';
COMMENT ON COLUMN appointments.doctor_id IS 'The doctor; NULL: none of the clinic''s.';
COMMENT ON COLUMN appointments.department_id IS 'The department; NULL: none.';
COMMENT ON COLUMN appointments.patient_id IS 'The patient.';
COMMENT ON COLUMN appointments.source IS 'LOCAL (booked here) or PRACTICEQ (stored by the sync).';
COMMENT ON COLUMN appointments.external_id IS 'The id in the account; NULL of LOCAL.';
COMMENT ON COLUMN appointments.appointment_date IS 'The day, by the facility''s clock.';
COMMENT ON COLUMN appointments.start_time IS 'The time of day, by the facility''s clock.';
COMMENT ON COLUMN appointments.status IS
    'SCHEDULED, CONFIRMED, CHECKED_IN, IN_PROGRESS, COMPLETED, NO_SHOW or CANCELLED.';
COMMENT ON COLUMN appointments.checked_in_at IS 'When the patient arrived; NULL: not yet.';
COMMENT ON COLUMN appointments.vitals_recorded_at IS 'When a nurse recorded vital signs; NULL: not yet.';
COMMENT ON COLUMN appointments.cancelled_at IS 'When it was cancelled; NULL unless CANCELLED.';
COMMENT ON COLUMN appointments.cancelled_by IS 'The user who cancelled it; NULL: nobody of the clinic.';
COMMENT ON COLUMN appointments.cancelled_reason IS 'Free text; NULL: none.';
COMMENT ON COLUMN appointments.notes IS 'Free text; NULL: none.';
COMMENT ON COLUMN appointments.created_at IS 'When it was made.';
COMMENT ON COLUMN appointments.updated_at IS 'When it was changed last.';
COMMENT ON COLUMN appointments.row_lock IS 'Always NULL, as users.row_lock.';

COMMENT ON TABLE doctor_slots IS 'The times of a doctor that can be booked.';
COMMENT ON COLUMN doctor_slots.id IS 'The key.';
COMMENT ON COLUMN doctor_slots.doctor_id IS 'The doctor.';
COMMENT ON COLUMN doctor_slots.slot_date IS 'The day, by the facility''s clock.';
COMMENT ON COLUMN doctor_slots.start_time IS 'The beginning, by the facility''s clock.';
COMMENT ON COLUMN doctor_slots.end_time IS 'The end; 24:00 for midnight.';
COMMENT ON COLUMN doctor_slots.is_booked IS 'Whether a visit has it.';
COMMENT ON COLUMN doctor_slots.is_blocked IS 'Whether nobody may book it.';
COMMENT ON COLUMN doctor_slots.appointment_id IS 'The visit that has it; NULL: none.';

COMMENT ON TABLE px_cases IS 'Patient experience cases: complaints, and what was promised about them.';
COMMENT ON COLUMN px_cases.id IS 'The key.';
COMMENT ON COLUMN px_cases.facility_id IS 'The site.';
COMMENT ON COLUMN px_cases.appointment_id IS 'The visit that it is about; NULL: none.';
COMMENT ON COLUMN px_cases.status IS 'OPEN, IN_PROGRESS, ESCALATED, RESOLVED or CLOSED.';
COMMENT ON COLUMN px_cases.severity IS 'LOW, MEDIUM, HIGH or CRITICAL.';
COMMENT ON COLUMN px_cases.description IS 'Free text; NULL: none.';
COMMENT ON COLUMN px_cases.assigned_department_id IS 'The department that has it; NULL: none.';
COMMENT ON COLUMN px_cases.assigned_role IS 'The role that has it, as text; NULL: none.';
COMMENT ON COLUMN px_cases.assigned_user_id IS 'The user who has it; NULL: none.';
COMMENT ON COLUMN px_cases.sla_minutes IS 'What was promised, in minutes; NULL: nothing was.';
COMMENT ON COLUMN px_cases.due_at IS 'The instant that was promised; NULL: nothing was.';
COMMENT ON COLUMN px_cases.escalation_level IS '0 (never escalated) to 3.';
COMMENT ON COLUMN px_cases.escalated_at IS 'When it was escalated last; NULL: never.';
COMMENT ON COLUMN px_cases.active IS 'False: left alone; NULL counts as active.';
COMMENT ON COLUMN px_cases.created_at IS 'When it was made.';
COMMENT ON COLUMN px_cases.updated_at IS 'When it was changed last.';

COMMENT ON TABLE teams IS 'The teams that tickets are assigned to.';
COMMENT ON COLUMN teams.id IS 'The key.';
COMMENT ON COLUMN teams.name IS 'As people call it.';
COMMENT ON COLUMN teams.active IS 'Whether tickets may be assigned to it.';
COMMENT ON COLUMN teams.row_lock IS 'Always NULL, as users.row_lock.';

COMMENT ON TABLE team_members IS 'Who is in a team.';
COMMENT ON COLUMN team_members.team_id IS 'The team.';
COMMENT ON COLUMN team_members.user_id IS 'The user.';
COMMENT ON COLUMN team_members.is_leader IS 'Whether the user leads it.';

COMMENT ON TABLE tickets IS 'Requests to the staff.';
COMMENT ON COLUMN tickets.id IS 'The key.';
COMMENT ON COLUMN tickets.number IS 'As people call it.';
COMMENT ON COLUMN tickets.facility_id IS 'The site; NULL: the whole group.';
COMMENT ON COLUMN tickets.title IS 'The subject.';
COMMENT ON COLUMN tickets.status IS 'OPEN, IN_PROGRESS, WAITING, RESOLVED or CLOSED.';
COMMENT ON COLUMN tickets.status_changed_at IS 'Since when it has the status; NULL: not known.';
COMMENT ON COLUMN tickets.priority IS 'LOW, MEDIUM, HIGH or URGENT.';
COMMENT ON COLUMN tickets.created_by IS 'The user who made it; NULL: none of the clinic''s.';
COMMENT ON COLUMN tickets.assignee_id IS 'The user who has it; NULL: nobody.';
COMMENT ON COLUMN tickets.team_id IS 'The team that has it; NULL: none.';
COMMENT ON COLUMN tickets.sla_due_at IS 'The instant that was promised; NULL: the policies decide.';
COMMENT ON COLUMN tickets.custom_sla_due_at IS 'An instant that comes before all other promises; NULL: none.';
COMMENT ON COLUMN tickets.customer_rating IS '1 (worst) to 5; NULL: none.';
COMMENT ON COLUMN tickets.created_at IS 'When it was made.';
COMMENT ON COLUMN tickets.updated_at IS 'When it was changed last.';
COMMENT ON COLUMN tickets.row_lock IS 'Always NULL, as users.row_lock.';

COMMENT ON TABLE ticket_followers IS 'Who gets the notices of a ticket besides its assignee.';
COMMENT ON COLUMN ticket_followers.ticket_id IS 'The ticket.';
COMMENT ON COLUMN ticket_followers.user_id IS 'The user.';

COMMENT ON TABLE ticket_comments IS 'What was written in a ticket.';
COMMENT ON COLUMN ticket_comments.id IS 'The key.';
COMMENT ON COLUMN ticket_comments.ticket_id IS 'The ticket.';
COMMENT ON COLUMN ticket_comments.author_id IS 'The user who wrote it; NULL: the customer.';
COMMENT ON COLUMN ticket_comments.body IS 'The text.';
COMMENT ON COLUMN ticket_comments.visible_to_customer IS 'Whether it counts as a response.';
COMMENT ON COLUMN ticket_comments.created_at IS 'When it was written.';

COMMENT ON TABLE sla_policies IS
    'Within what time a ticket of a priority is to be resolved. The newest active one of a priority is in force.';
COMMENT ON COLUMN sla_policies.id IS 'The key.';
COMMENT ON COLUMN sla_policies.priority IS 'LOW, MEDIUM, HIGH or URGENT.';
COMMENT ON COLUMN sla_policies.resolution_minutes IS 'From the ticket''s creation, in minutes.';
COMMENT ON COLUMN sla_policies.active IS 'Whether it holds.';
COMMENT ON COLUMN sla_policies.created_at IS 'When it was made.';

COMMENT ON TABLE notification_preferences IS 'How a user wants notices; without a row in the application only.';
COMMENT ON COLUMN notification_preferences.user_id IS 'The user.';
COMMENT ON COLUMN notification_preferences.in_app IS 'Whether in the application.';
COMMENT ON COLUMN notification_preferences.email IS 'Whether by e-mail.';

COMMENT ON TABLE escalation_rules IS
    'What is to happen to tickets when. The program checks the shapes of condition and action: a rule that is '
    'wrong is reported by its key, and the others run.';
COMMENT ON COLUMN escalation_rules.id IS 'The key.';
COMMENT ON COLUMN escalation_rules.name IS 'As people call it.';
COMMENT ON COLUMN escalation_rules.position IS 'The order of the rules, smallest first.';
COMMENT ON COLUMN escalation_rules.active IS 'Whether it is in use.';
COMMENT ON COLUMN escalation_rules.condition_type IS
    'sla_breach, no_response, time_in_status, priority_level or customer_rating.';
COMMENT ON COLUMN escalation_rules.condition IS 'An object whose shape depends on the type; see docs/operator.md.';
COMMENT ON COLUMN escalation_rules.action_type IS
    'notify_manager, reassign_ticket, increase_priority, add_follower, send_email or send_webhook.';
COMMENT ON COLUMN escalation_rules.action IS
    'An object whose shape depends on the type; keys in it are text or numbers.';
COMMENT ON COLUMN escalation_rules.cooldown_hours IS
    'After so many hours it may fire again for the same ticket; NULL: once, until its condition has been false.';

COMMENT ON TABLE surgical_case_statuses IS 'What a surgical case can be, and which of its columns says since when.';
COMMENT ON COLUMN surgical_case_statuses.status IS 'The number, which is what surgical_cases has.';
COMMENT ON COLUMN surgical_case_statuses.name IS 'As people call it.';
COMMENT ON COLUMN surgical_case_statuses.timestamp_field IS 'The column of surgical_cases that says since when.';
COMMENT ON COLUMN surgical_case_statuses.row_lock IS 'Always NULL, as users.row_lock.';

COMMENT ON TABLE surgical_case_transitions IS
    'The steps that advance-billing may make by itself, each a stage of it. Never backwards.';
COMMENT ON COLUMN surgical_case_transitions.stage IS 'The name, which --stage takes.';
COMMENT ON COLUMN surgical_case_transitions.from_status IS 'The status before.';
COMMENT ON COLUMN surgical_case_transitions.to_status IS 'The status after.';
COMMENT ON COLUMN surgical_case_transitions.min_dwell IS
    'How long a case stays in from_status after the job itself brought it there.';

COMMENT ON TABLE surgical_cases IS 'Surgeries, and how far their billing is.';
COMMENT ON COLUMN surgical_cases.id IS 'The key.';
COMMENT ON COLUMN surgical_cases.facility_id IS 'The site.';
COMMENT ON COLUMN surgical_cases.patient_id IS 'The patient.';
COMMENT ON COLUMN surgical_cases.case_status IS 'The number of surgical_case_statuses.';
COMMENT ON COLUMN surgical_cases.pay_amount IS 'What the provider is paid, in dollars; NULL: not known.';
COMMENT ON COLUMN surgical_cases.active IS 'Whether the job looks at it.';
COMMENT ON COLUMN surgical_cases.billable_ts IS 'Since when it has this status; NULL: never had it.';
COMMENT ON COLUMN surgical_cases.docs_needed_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.submitted_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.pending_payment_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.paid_to_provider_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.sent_to_biller_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.received_payment_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.negotiation_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.settled_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.sent_to_idr_ts IS
    'As billable_ts, of its own status (independent dispute resolution).';
COMMENT ON COLUMN surgical_cases.idr_decision_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.rejected_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.closed_ts IS 'As billable_ts, of its own status.';
COMMENT ON COLUMN surgical_cases.created_ts IS 'When it was made.';
COMMENT ON COLUMN surgical_cases.updated_ts IS 'When it was changed last.';

COMMENT ON TABLE organizations IS 'Organizations outside the clinic that look after patients.';
COMMENT ON COLUMN organizations.id IS 'The key.';
COMMENT ON COLUMN organizations.name IS 'As people call it.';
COMMENT ON COLUMN organizations.facility_id IS 'The site whose clock the imported visits of its patients have.';

COMMENT ON TABLE organization_users IS 'Who of the users works for an organization.';
COMMENT ON COLUMN organization_users.organization_id IS 'The organization.';
COMMENT ON COLUMN organization_users.user_id IS 'The user.';
COMMENT ON COLUMN organization_users.role IS 'CASE_MANAGER: gets the notices of the sync.';

COMMENT ON TABLE patient_organization_affiliations IS 'Which organization looks after which patient.';
COMMENT ON COLUMN patient_organization_affiliations.id IS 'The key.';
COMMENT ON COLUMN patient_organization_affiliations.patient_id IS 'The patient.';
COMMENT ON COLUMN patient_organization_affiliations.organization_id IS 'The organization.';
COMMENT ON COLUMN patient_organization_affiliations.status IS 'active, inactive or pending.';

COMMENT ON TABLE provider_intakeq_settings IS
    'Which doctor a practitioner of the account is: by id, else by e-mail address.';
COMMENT ON COLUMN provider_intakeq_settings.id IS 'The key.';
COMMENT ON COLUMN provider_intakeq_settings.doctor_id IS 'The doctor.';
COMMENT ON COLUMN provider_intakeq_settings.practitioner_id IS
    'The id in the account; NULL: known by e-mail address only.';
COMMENT ON COLUMN provider_intakeq_settings.practitioner_email IS 'NULL: known by id only.';
