-- Appointments that live in IntakeQ/PracticeQ: whose they are, what was read of them, and what the reading cost.

-- What the sync knows of a visit that it stores in the clinic's appointments. Where the clinic's row is gone, the next
-- sync that reads the visit stores it anew; a visit that is gone from the account is marked here, and only here.
CREATE TABLE practiceq_visits (
    external_id     text PRIMARY KEY CHECK (external_id <> ''),
    appointment_id  text NOT NULL,  -- of the clinic's row, which has the external id, too
    patient_id      text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz,
    meeting_url     text CHECK (meeting_url ~ '^https?://'),  -- the guest's link, never the host's
    service_name    text,
    location_name   text,
    practitioner    text,         -- as the account calls whoever sees the patient: an id, else an e-mail
    client_id       text,
    status          text NOT NULL,  -- what the sync wrote last: where the visit's differs, somebody here knew better
    modified_at     timestamptz,  -- LastModified, as far as the account tells it
    read_at         timestamptz NOT NULL,  -- when what is written here was asked for
    content_hash    text NOT NULL,  -- of everything of it that the sync writes
    last_seen_sweep bigint,       -- the sweep (sync_logs) that wrote it last, or saw it first after it was missed
    missed_sweep    bigint,       -- the first of the complete sweeps in a row that should have seen it
    deleted_at      timestamptz,  -- gone from the account, or from this patient's chart
    CHECK (ends_at >= starts_at)
);
CREATE INDEX practiceq_visits_window ON practiceq_visits (starts_at) WHERE deleted_at IS NULL;
CREATE INDEX practiceq_visits_patient ON practiceq_visits (patient_id, starts_at);

-- Since when all that was to be read of a patient is read, for each organization that looks after the patient. A row
-- whose patient or organization is gone stays, and nothing reads it.
CREATE TABLE practiceq_freshness (
    patient_id      text NOT NULL,
    organization_id text NOT NULL,
    fresh_since     timestamptz NOT NULL,
    PRIMARY KEY (patient_id, organization_id)
);

-- Whose a client of the account is: found once by e-mail with date of birth or name, or said by a person. A link to a
-- patient who is gone counts as none, and the next that is found takes its place.
CREATE TABLE practiceq_clients (
    client_id  text PRIMARY KEY CHECK (client_id <> ''),
    patient_id text,               -- NULL: nobody of ours, a person said so
    linked_by  text,                  -- NULL: the job found it
    created_at timestamptz NOT NULL,
    run_id     uuid,
    CHECK (patient_id IS NOT NULL OR linked_by IS NOT NULL)
);
CREATE INDEX practiceq_clients_patient ON practiceq_clients (patient_id);

-- What matched nobody or several, for a person to decide. Where the patient to whom it was linked is gone, it waits for
-- a decision again.
CREATE TABLE practiceq_unmatched (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL UNIQUE,
    client_id   text,
    reason      text NOT NULL CHECK (reason IN ('NOBODY', 'SEVERAL', 'GROUP')),
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'linked', 'ignored')),
    patient_id  text,              -- whose it is, where it is linked
    starts_at   timestamptz NOT NULL,
    content     jsonb NOT NULL,                          -- as it was read: names a person
    first_seen  timestamptz NOT NULL,
    decided_by  text,
    decided_at  timestamptz,
    run_id      uuid,
    CHECK ((status = 'linked') = (patient_id IS NOT NULL)),
    CHECK ((status = 'open') = (decided_by IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE INDEX practiceq_unmatched_open ON practiceq_unmatched (starts_at) WHERE status = 'open';
CREATE INDEX practiceq_unmatched_client ON practiceq_unmatched (client_id);

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
    organization_id        text,
    patient_id             text,
    triggered_by_user_id   text,
    organization_name      text,                         -- as it was then
    triggered_by_name      text,                         -- of the user, as it was then
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
SELECT l.id, l.sync_type, l.organization_id, l.organization_name, l.patient_id, l.triggered_by_user_id,
       l.triggered_by_name, l.started_at, l.completed_at, l.duration_ms, l.status, l.appointments_new,
       l.appointments_updated, l.appointments_unchanged, l.appointments_errors, l.patients_processed, l.patients_failed,
       l.error_message
FROM sync_logs l
ORDER BY l.started_at DESC, l.id DESC
LIMIT 100;

-- For dashboards. Roles belong to the whole server: it may be there already, or not be ours to make.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rounds_dashboard') THEN
        CREATE ROLE rounds_dashboard NOLOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO rounds_dashboard', current_schema());
    GRANT SELECT ON v_recent_sync_activity TO rounds_dashboard;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'no role rounds_dashboard could be made: create it, and grant it USAGE on this schema and SELECT on v_recent_sync_activity';
    WHEN duplicate_object OR unique_violation THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO rounds_dashboard', current_schema());
        GRANT SELECT ON v_recent_sync_activity TO rounds_dashboard;
END $$;
