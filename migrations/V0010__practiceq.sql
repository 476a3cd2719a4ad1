-- Appointments that live in IntakeQ/PracticeQ: whose they are, what was read of them, and what the reading cost.

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
    last_practiceq_sync_at timestamptz,                  -- since when all that was to be read of the patient is read
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

-- What the sync knows of a visit; all NULL where the visit is the clinic's own.
ALTER TABLE appointments
    ADD COLUMN starts_at           timestamptz,
    ADD COLUMN ends_at             timestamptz,
    ADD COLUMN meeting_url         text CHECK (meeting_url ~ '^https?://'),  -- the guest's link, never the host's
    ADD COLUMN service_name        text,
    ADD COLUMN location_name       text,
    ADD COLUMN practitioner        text,         -- as the account calls whoever sees the patient: an id, else an e-mail
    ADD COLUMN practiceq_client_id text,
    ADD COLUMN synced_status       text,         -- what the sync wrote last: where status differs, somebody here knew better
    ADD COLUMN source_modified_at  timestamptz,  -- LastModified, as far as the account tells it
    ADD COLUMN source_read_at      timestamptz,  -- when what is written here was asked for
    ADD COLUMN content_hash        text,         -- of everything of it that the sync writes
    ADD COLUMN last_seen_sweep     bigint,       -- the sweep (sync_logs) that wrote it last, or saw it first after it was missed
    ADD COLUMN missed_sweep        bigint,       -- the first of the complete sweeps in a row that should have seen it
    ADD COLUMN deleted_at          timestamptz,  -- gone from the account, or from this patient's chart
    ADD CONSTRAINT appointments_synced CHECK (source = 'PRACTICEQ' OR (starts_at IS NULL AND content_hash IS NULL
                                                                       AND deleted_at IS NULL)),
    ADD CONSTRAINT appointments_ends CHECK (ends_at >= starts_at);
CREATE INDEX appointments_synced_window ON appointments (starts_at) WHERE source = 'PRACTICEQ' AND deleted_at IS NULL;
CREATE INDEX appointments_synced_patient ON appointments (patient_id, starts_at) WHERE source = 'PRACTICEQ';
CREATE INDEX patients_email ON patients (lower(btrim(email))) WHERE email IS NOT NULL;

-- Whose a client of the account is: found once by e-mail with date of birth or name, or said by a person.
CREATE TABLE practiceq_clients (
    client_id  text PRIMARY KEY CHECK (client_id <> ''),
    patient_id bigint REFERENCES patients,               -- NULL: nobody of ours, a person said so
    linked_by  bigint REFERENCES users,                  -- NULL: the job found it
    created_at timestamptz NOT NULL,
    run_id     uuid,
    CHECK (patient_id IS NOT NULL OR linked_by IS NOT NULL)
);
CREATE INDEX practiceq_clients_patient ON practiceq_clients (patient_id);

-- What matched nobody or several, for a person to decide.
CREATE TABLE practiceq_unmatched (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL UNIQUE,
    client_id   text,
    reason      text NOT NULL CHECK (reason IN ('NOBODY', 'SEVERAL', 'GROUP')),
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'linked', 'ignored')),
    patient_id  bigint REFERENCES patients,              -- whose it is, where it is linked
    starts_at   timestamptz NOT NULL,
    content     jsonb NOT NULL,                          -- as it was read: names a person
    first_seen  timestamptz NOT NULL,
    decided_by  bigint REFERENCES users,
    decided_at  timestamptz,
    run_id      uuid,
    CHECK ((status = 'linked') = (patient_id IS NOT NULL)),
    CHECK ((status = 'open') = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX practiceq_unmatched_open ON practiceq_unmatched (starts_at) WHERE status = 'open';
CREATE INDEX practiceq_unmatched_client ON practiceq_unmatched (client_id);

-- Who is shown what may be nobody of ours.
ALTER TABLE phi_access_log ALTER COLUMN patient_id DROP NOT NULL;

-- The account's budget: its row is locked before a request is counted, written and sent.
CREATE TABLE api_budgets (
    account       text PRIMARY KEY,
    blocked_until timestamptz                            -- the account said so (429, Retry-After)
);
INSERT INTO api_budgets (account) VALUES ('practiceq');

CREATE TABLE api_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account      text NOT NULL REFERENCES api_budgets,
    requested_at timestamptz NOT NULL,                   -- by the database's clock, before it was sent
    manual       boolean NOT NULL,                       -- a person waits
    purpose      text NOT NULL,
    run_id       uuid NOT NULL
);
CREATE INDEX api_requests_lately ON api_requests (account, requested_at DESC);

CREATE TABLE sync_logs (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sync_type              text NOT NULL CHECK (sync_type IN ('automated_daily', 'automated_incremental', 'manual_org_bulk',
                                                              'manual_patient')),
    organization_id        bigint REFERENCES organizations,
    patient_id             bigint REFERENCES patients,
    triggered_by_user_id   bigint REFERENCES users,
    started_at             timestamptz NOT NULL,
    completed_at           timestamptz,
    duration_ms            bigint CHECK (duration_ms >= 0),
    status                 text NOT NULL DEFAULT 'in_progress'
                           CHECK (status IN ('in_progress', 'completed', 'partial_success', 'failed')),
    appointments_new       bigint NOT NULL DEFAULT 0,
    appointments_updated   bigint NOT NULL DEFAULT 0,
    appointments_unchanged bigint NOT NULL DEFAULT 0,
    appointments_errors    bigint NOT NULL DEFAULT 0,
    patients_processed     bigint NOT NULL DEFAULT 0,
    patients_failed        bigint NOT NULL DEFAULT 0,
    error_message          text,                         -- redacted
    metadata               jsonb NOT NULL DEFAULT '{}',  -- ids, counts and codes only
    run_id                 uuid NOT NULL,
    created_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((status = 'in_progress') = (completed_at IS NULL)),
    CHECK ((completed_at IS NULL) = (duration_ms IS NULL))
);
CREATE INDEX sync_logs_started ON sync_logs (started_at DESC);
CREATE INDEX sync_logs_organization ON sync_logs (organization_id, started_at DESC) WHERE organization_id IS NOT NULL;
CREATE INDEX sync_logs_patient ON sync_logs (patient_id, started_at DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX sync_logs_in_progress ON sync_logs (id) WHERE status = 'in_progress';

CREATE FUNCTION sync_logs_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER sync_logs_touch BEFORE UPDATE ON sync_logs FOR EACH ROW EXECUTE FUNCTION sync_logs_touch();

-- How far the reading is.
CREATE TABLE practiceq_state (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    watermark     timestamptz,                           -- the highest LastModified of what was read completely
    sweep         bigint,                                -- the last complete sweep
    sweep_pages   integer                                -- and how many pages it had
);
INSERT INTO practiceq_state DEFAULT VALUES;

-- Where a lane that had to stop goes on.
CREATE TABLE practiceq_cursors (
    lane     text PRIMARY KEY,
    query    jsonb NOT NULL,                             -- what was being read
    page     integer NOT NULL CHECK (page > 0),          -- the first that was not
    saved_at timestamptz NOT NULL,
    run_id   uuid NOT NULL
);

CREATE VIEW v_recent_sync_activity AS
SELECT l.id, l.sync_type, l.organization_id, o.name AS organization_name, l.patient_id, l.triggered_by_user_id,
       u.name AS triggered_by_name, l.started_at, l.completed_at, l.duration_ms, l.status, l.appointments_new,
       l.appointments_updated, l.appointments_unchanged, l.appointments_errors, l.patients_processed, l.patients_failed,
       l.error_message
FROM sync_logs l
LEFT JOIN organizations o ON o.id = l.organization_id
LEFT JOIN users u ON u.id = l.triggered_by_user_id
ORDER BY l.started_at DESC, l.id DESC
LIMIT 100;

-- For dashboards. Roles belong to the whole server: it may be there already, or not be ours to make.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rounds_dashboard') THEN
        CREATE ROLE rounds_dashboard NOLOGIN;
    END IF;
    GRANT SELECT ON v_recent_sync_activity TO rounds_dashboard;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'no role rounds_dashboard could be made: create it, and grant it SELECT on v_recent_sync_activity';
    WHEN duplicate_object OR unique_violation THEN
        GRANT SELECT ON v_recent_sync_activity TO rounds_dashboard;
END $$;
