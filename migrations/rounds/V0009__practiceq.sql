-- Appointments that live in IntakeQ/PracticeQ: whose they are, what was read of them, and what the reading cost.

CREATE TABLE practiceq_visits (
    external_id     text PRIMARY KEY CHECK (external_id <> ''),
    appointment_id  text NOT NULL,
    patient_id      text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz,
    meeting_url     text CHECK (meeting_url ~ '^https?://'),
    service_name    text,
    location_name   text,
    practitioner    text,
    client_id       text,
    status          text NOT NULL,
    modified_at     timestamptz,
    read_at         timestamptz NOT NULL,
    content_hash    text NOT NULL,
    last_seen_sweep bigint,
    missed_sweep    bigint,
    deleted_at      timestamptz,
    CHECK (ends_at >= starts_at)
);
CREATE INDEX practiceq_visits_window ON practiceq_visits (starts_at) WHERE deleted_at IS NULL;
CREATE INDEX practiceq_visits_patient ON practiceq_visits (patient_id, starts_at);

CREATE TABLE practiceq_freshness (
    patient_id      text NOT NULL,
    organization_id text NOT NULL,
    fresh_since     timestamptz NOT NULL,
    PRIMARY KEY (patient_id, organization_id)
);

CREATE TABLE practiceq_clients (
    client_id  text PRIMARY KEY CHECK (client_id <> ''),
    patient_id text,
    linked_by  text,
    created_at timestamptz NOT NULL,
    run_id     uuid,
    CHECK (patient_id IS NOT NULL OR linked_by IS NOT NULL)
);
CREATE INDEX practiceq_clients_patient ON practiceq_clients (patient_id);

CREATE TABLE practiceq_unmatched (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL UNIQUE,
    client_id   text,
    reason      text NOT NULL CHECK (reason IN ('NOBODY', 'SEVERAL', 'GROUP')),
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'linked', 'ignored')),
    patient_id  text,
    starts_at   timestamptz NOT NULL,
    content     jsonb NOT NULL,
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

CREATE TABLE api_budgets (
    account       text PRIMARY KEY,
    blocked_until timestamptz
);
INSERT INTO api_budgets (account) VALUES ('practiceq');

CREATE TABLE api_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account      text NOT NULL REFERENCES api_budgets,
    requested_at timestamptz NOT NULL,
    manual       boolean NOT NULL,
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
    organization_name      text,
    triggered_by_name      text,
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
    error_message          text,
    metadata               jsonb NOT NULL DEFAULT '{}',
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
    watermark     timestamptz,
    sweep         bigint,
    sweep_pages   integer
);
INSERT INTO practiceq_state DEFAULT VALUES;

-- Where a lane that had to stop goes on.
CREATE TABLE practiceq_cursors (
    lane     text PRIMARY KEY,
    query    jsonb NOT NULL,
    page     integer NOT NULL CHECK (page > 0),
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

COMMENT ON TABLE practiceq_visits IS
    'What the sync knows of each visit that it stores in the clinic''s appointments. When the visit is gone, the '
    'next sync that reads it stores it anew.';
COMMENT ON COLUMN practiceq_visits.external_id IS 'The appointment''s id in the account.';
COMMENT ON COLUMN practiceq_visits.appointment_id IS 'The key of the visit.';
COMMENT ON COLUMN practiceq_visits.patient_id IS 'The key of the patient.';
COMMENT ON COLUMN practiceq_visits.starts_at IS 'When the visit starts.';
COMMENT ON COLUMN practiceq_visits.ends_at IS 'When it ends; NULL: the account does not say.';
COMMENT ON COLUMN practiceq_visits.meeting_url IS 'The guest''s link of a video visit, never the host''s; NULL: none.';
COMMENT ON COLUMN practiceq_visits.service_name IS 'As the account calls it; NULL: none.';
COMMENT ON COLUMN practiceq_visits.location_name IS 'As the account calls it; NULL: none.';
COMMENT ON COLUMN practiceq_visits.practitioner IS
    'As the account calls the person who sees the patient: an id, else an e-mail address; NULL: nobody.';
COMMENT ON COLUMN practiceq_visits.client_id IS 'The id of the account''s client; NULL: none.';
COMMENT ON COLUMN practiceq_visits.status IS
    'The status that the sync wrote last. Where the visit has another, somebody here knew better.';
COMMENT ON COLUMN practiceq_visits.modified_at IS 'LastModified; NULL: the account does not say.';
COMMENT ON COLUMN practiceq_visits.read_at IS 'When the stored content was asked for.';
COMMENT ON COLUMN practiceq_visits.content_hash IS 'The digest of everything of it that the sync writes.';
COMMENT ON COLUMN practiceq_visits.last_seen_sweep IS
    'The sweep (sync_logs.id) that wrote it last, or saw it first after it was missed; NULL: none.';
COMMENT ON COLUMN practiceq_visits.missed_sweep IS
    'The first of the complete sweeps in a row that should have seen it and did not; NULL: none.';
COMMENT ON COLUMN practiceq_visits.deleted_at IS
    'When it was found to be gone from the account, or from this patient''s chart; NULL: it is there.';

COMMENT ON TABLE practiceq_freshness IS
    'Since when all that was to be read of a patient is read, for each organization that looks after the patient. '
    'When the patient or the organization is gone, the row is ignored.';
COMMENT ON COLUMN practiceq_freshness.patient_id IS 'The key of the patient.';
COMMENT ON COLUMN practiceq_freshness.organization_id IS 'The key of the organization.';
COMMENT ON COLUMN practiceq_freshness.fresh_since IS 'The start of the last complete reading.';

COMMENT ON TABLE practiceq_clients IS
    'Whose a client of the account is: found by e-mail address with date of birth or name, or said by a person. '
    'When the patient is gone, the link counts as none.';
COMMENT ON COLUMN practiceq_clients.client_id IS 'The client''s id in the account.';
COMMENT ON COLUMN practiceq_clients.patient_id IS
    'The key of the patient; NULL: nobody of the clinic, which a person said.';
COMMENT ON COLUMN practiceq_clients.linked_by IS 'The key of the user who said so; NULL: the job found it.';
COMMENT ON COLUMN practiceq_clients.created_at IS 'When it was linked.';
COMMENT ON COLUMN practiceq_clients.run_id IS 'The run that found it; NULL: a person said so.';

COMMENT ON TABLE practiceq_unmatched IS
    'Appointments of the account that matched no patient or several, for a person to decide. When the patient of a '
    'decision is gone, the appointment waits for a decision again.';
COMMENT ON COLUMN practiceq_unmatched.id IS 'The number that `rounds practiceq unmatched` takes.';
COMMENT ON COLUMN practiceq_unmatched.external_id IS 'The appointment''s id in the account.';
COMMENT ON COLUMN practiceq_unmatched.client_id IS 'The id of the account''s client; NULL: none.';
COMMENT ON COLUMN practiceq_unmatched.reason IS 'NOBODY, SEVERAL or GROUP (the appointment is of several clients).';
COMMENT ON COLUMN practiceq_unmatched.status IS 'open, linked or ignored.';
COMMENT ON COLUMN practiceq_unmatched.patient_id IS 'The key of the patient that it was linked to; NULL unless linked.';
COMMENT ON COLUMN practiceq_unmatched.starts_at IS 'When the appointment starts.';
COMMENT ON COLUMN practiceq_unmatched.content IS 'An object: the appointment as it was read. It names a person.';
COMMENT ON COLUMN practiceq_unmatched.first_seen IS 'When it was read first.';
COMMENT ON COLUMN practiceq_unmatched.decided_by IS 'The key of the user who decided; NULL: it is open.';
COMMENT ON COLUMN practiceq_unmatched.decided_at IS 'When it was decided; NULL: it is open.';
COMMENT ON COLUMN practiceq_unmatched.run_id IS 'The run that read it.';

COMMENT ON TABLE api_budgets IS
    'The accounts whose requests are limited. Its row is locked before a request is counted, recorded and sent.';
COMMENT ON COLUMN api_budgets.account IS 'The account, such as practiceq.';
COMMENT ON COLUMN api_budgets.blocked_until IS
    'The account said to wait until then (429, Retry-After); NULL: it did not.';

COMMENT ON TABLE api_requests IS 'The requests that were sent to an account, which its limits count.';
COMMENT ON COLUMN api_requests.id IS 'The order of insertion.';
COMMENT ON COLUMN api_requests.account IS 'The account.';
COMMENT ON COLUMN api_requests.requested_at IS 'By the database''s clock, before the request was sent.';
COMMENT ON COLUMN api_requests.manual IS 'Whether a person waits for it.';
COMMENT ON COLUMN api_requests.purpose IS 'What was asked for.';
COMMENT ON COLUMN api_requests.run_id IS 'The run.';

COMMENT ON TABLE sync_logs IS
    'The runs of sync-practiceq as dashboards read them. When the organization, patient or user is gone, the rows '
    'are kept as evidence.';
COMMENT ON COLUMN sync_logs.id IS 'The number of the sync; sweeps are named by it.';
COMMENT ON COLUMN sync_logs.sync_type IS 'automated_daily, automated_incremental, manual_org_bulk or manual_patient.';
COMMENT ON COLUMN sync_logs.organization_id IS
    'The key of the organization that was synced; NULL: not one organization.';
COMMENT ON COLUMN sync_logs.patient_id IS 'The key of the patient who was synced; NULL: not one patient.';
COMMENT ON COLUMN sync_logs.triggered_by_user_id IS 'The key of the user who started it; NULL: the scheduler did.';
COMMENT ON COLUMN sync_logs.organization_name IS 'The organization''s name as it was then; NULL: none.';
COMMENT ON COLUMN sync_logs.triggered_by_name IS 'The user''s name as it was then; NULL: none.';
COMMENT ON COLUMN sync_logs.started_at IS 'When it began.';
COMMENT ON COLUMN sync_logs.completed_at IS 'When it ended; NULL: it is in progress.';
COMMENT ON COLUMN sync_logs.duration_ms IS 'How long it took, in milliseconds; NULL: it is in progress.';
COMMENT ON COLUMN sync_logs.status IS 'in_progress, completed, partial_success or failed.';
COMMENT ON COLUMN sync_logs.appointments_new IS 'Visits that were inserted.';
COMMENT ON COLUMN sync_logs.appointments_updated IS 'Visits that were changed.';
COMMENT ON COLUMN sync_logs.appointments_unchanged IS 'Visits that were read and were the same.';
COMMENT ON COLUMN sync_logs.appointments_errors IS 'Visits that failed.';
COMMENT ON COLUMN sync_logs.patients_processed IS 'Patients of whom something was read.';
COMMENT ON COLUMN sync_logs.patients_failed IS 'Patients of whom something failed.';
COMMENT ON COLUMN sync_logs.error_message IS 'The error as a sentence, redacted; NULL: none.';
COMMENT ON COLUMN sync_logs.metadata IS 'An object: ids, counts and codes only.';
COMMENT ON COLUMN sync_logs.run_id IS 'The run.';
COMMENT ON COLUMN sync_logs.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN sync_logs.updated_at IS 'When the row was changed last; a trigger sets it.';

COMMENT ON TABLE practiceq_state IS 'One row: how far the sync has read.';
COMMENT ON COLUMN practiceq_state.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN practiceq_state.watermark IS
    'The highest LastModified of what was read completely; NULL: nothing was.';
COMMENT ON COLUMN practiceq_state.sweep IS 'The last complete sweep (sync_logs.id); NULL: none.';
COMMENT ON COLUMN practiceq_state.sweep_pages IS 'The number of pages of that sweep; NULL: none.';

COMMENT ON TABLE practiceq_cursors IS 'Where a lane of the sync that had to stop goes on.';
COMMENT ON COLUMN practiceq_cursors.lane IS 'The lane.';
COMMENT ON COLUMN practiceq_cursors.query IS 'An object: what was being read.';
COMMENT ON COLUMN practiceq_cursors.page IS 'The first page that was not read.';
COMMENT ON COLUMN practiceq_cursors.saved_at IS 'When it stopped.';
COMMENT ON COLUMN practiceq_cursors.run_id IS 'The run that stopped.';

COMMENT ON VIEW v_recent_sync_activity IS
    'The last 100 syncs, newest first, for dashboards; its columns are those of sync_logs.';
DO $$
DECLARE
    described record;
BEGIN
    FOR described IN
        SELECT v.attname, col_description('sync_logs'::regclass, l.attnum) AS comment
        FROM pg_attribute v JOIN pg_attribute l ON l.attname = v.attname AND l.attrelid = 'sync_logs'::regclass
        WHERE v.attrelid = 'v_recent_sync_activity'::regclass AND v.attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN v_recent_sync_activity.%I IS %L', described.attname, described.comment);
    END LOOP;
END $$;

-- For dashboards. Roles belong to the whole server: it may be there already, or not be ours to make or to change.
DO $$
DECLARE
    role_ours CONSTANT text := 'rounds_dashboard';
    path CONSTANT text := format('ALTER ROLE %I IN DATABASE %I SET search_path = %I, public', role_ours,
                                 current_database(), current_schema());
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_ours) THEN
            CREATE ROLE rounds_dashboard NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
            RAISE WARNING 'role rounds_dashboard cannot be made: create it, grant it USAGE on schema % and SELECT on '
                          'v_recent_sync_activity, and run: %', current_schema(), path;
            RETURN;
    END;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO rounds_dashboard', current_schema());
    GRANT SELECT ON v_recent_sync_activity TO rounds_dashboard;
    BEGIN
        EXECUTE path;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE WARNING 'role rounds_dashboard cannot be changed: run as a superuser: %', path;
    END;
END $$;
