-- The run's own tables: what ran, when, and what it could not do.

CREATE TABLE rounds_schema (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    min_binary_schema integer NOT NULL CHECK (min_binary_schema > 0)
);
INSERT INTO rounds_schema (min_binary_schema) VALUES (1);

CREATE TABLE cron_job_runs (
    id              uuid PRIMARY KEY,
    job_name        text NOT NULL CHECK (job_name <> ''),
    lane            text NOT NULL DEFAULT '',
    status          text NOT NULL CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED')),
    source          text NOT NULL DEFAULT 'manual' CHECK (source IN ('cron', 'manual', 'external')),
    actor           text,
    scheduled_for   timestamptz,
    started_at      timestamptz NOT NULL,
    heartbeat_at    timestamptz NOT NULL,
    deadline_at     timestamptz NOT NULL,
    lease_ms        bigint NOT NULL DEFAULT 60000 CHECK (lease_ms > 0),
    completed_at    timestamptz,
    duration_ms     bigint CHECK (duration_ms >= 0),
    items_processed bigint NOT NULL DEFAULT 0 CHECK (items_processed >= 0),
    items_failed    bigint NOT NULL DEFAULT 0 CHECK (items_failed >= 0),
    error_code      text,
    error_message   text,
    host            text NOT NULL,
    version         text NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',
    taken_over_by   uuid,
    CHECK ((status = 'RUNNING') = (completed_at IS NULL)),
    CHECK (status <> 'FAILED' OR error_code IS NOT NULL)
) WITH (fillfactor = 70);

-- The lock: a second live run of one lane is impossible.
CREATE UNIQUE INDEX cron_job_runs_running ON cron_job_runs (job_name, lane) WHERE status = 'RUNNING';
CREATE INDEX cron_job_runs_history ON cron_job_runs (job_name, lane, started_at DESC);
-- The order in which the runs of a lane ended: failures in a row, the last success.
CREATE INDEX cron_job_runs_ended ON cron_job_runs (job_name, lane, completed_at DESC)
    WHERE status IN ('COMPLETED', 'FAILED');
CREATE INDEX cron_job_runs_started ON cron_job_runs (started_at DESC);

CREATE TABLE cron_job_run_errors (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     uuid NOT NULL REFERENCES cron_job_runs ON DELETE CASCADE,
    entity     text NOT NULL,
    entity_id  text NOT NULL,
    error_code text NOT NULL,
    message    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (run_id, entity, entity_id, error_code)
);

COMMENT ON TABLE rounds_schema IS
    'One row: this schema belongs to rounds, and the oldest binary that may still work on it.';
COMMENT ON COLUMN rounds_schema.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN rounds_schema.min_binary_schema IS
    'The version of the newest migration that a binary must know to work here. A migration that an older binary '
    'could not work with raises it (expand, then contract).';

COMMENT ON TABLE cron_job_runs IS
    'The runs of all jobs: the history, and the lock. A RUNNING row holds its lane. `rounds prune` deletes old '
    'rows.';
COMMENT ON COLUMN cron_job_runs.id IS 'Made by the client, so that a lost reply can be resolved.';
COMMENT ON COLUMN cron_job_runs.job_name IS 'The job, such as mark-no-shows.';
COMMENT ON COLUMN cron_job_runs.lane IS
    'The part of the job that one run at a time works on and that is judged apart, such as a stage of billing; '
    'empty where a job has one lane.';
COMMENT ON COLUMN cron_job_runs.status IS
    'RUNNING, COMPLETED, FAILED or SKIPPED (another run held the lane, or one succeeded lately).';
COMMENT ON COLUMN cron_job_runs.source IS
    'Who started it: cron (a scheduler), manual (a person) or external (a backup scheduler).';
COMMENT ON COLUMN cron_job_runs.actor IS 'The id of the user who ran it by hand; NULL: nobody said.';
COMMENT ON COLUMN cron_job_runs.scheduled_for IS 'The start that the scheduler meant; NULL: not given.';
COMMENT ON COLUMN cron_job_runs.started_at IS 'When the lane was claimed.';
COMMENT ON COLUMN cron_job_runs.heartbeat_at IS 'The last sign of life.';
COMMENT ON COLUMN cron_job_runs.deadline_at IS 'When the run ends itself.';
COMMENT ON COLUMN cron_job_runs.lease_ms IS
    'How long the run may be silent before another may take over, in milliseconds.';
COMMENT ON COLUMN cron_job_runs.completed_at IS 'When it ended; NULL: it is RUNNING.';
COMMENT ON COLUMN cron_job_runs.duration_ms IS
    'How long it took, in milliseconds; NULL: it is RUNNING, or was taken over.';
COMMENT ON COLUMN cron_job_runs.items_processed IS 'How many items were changed.';
COMMENT ON COLUMN cron_job_runs.items_failed IS 'How many items failed and are in cron_job_run_errors.';
COMMENT ON COLUMN cron_job_runs.error_code IS 'Why it failed, such as LEASE_EXPIRED; NULL: it did not fail.';
COMMENT ON COLUMN cron_job_runs.error_message IS 'The error as a sentence, redacted: never a value of a row.';
COMMENT ON COLUMN cron_job_runs.host IS 'The host name of the process.';
COMMENT ON COLUMN cron_job_runs.version IS 'The version of the binary.';
COMMENT ON COLUMN cron_job_runs.metadata IS 'An object: the arguments without secrets, and the report.';
COMMENT ON COLUMN cron_job_runs.taken_over_by IS 'The run that took this one over; NULL: none did.';

COMMENT ON TABLE cron_job_run_errors IS 'The items that failed in a run, once for each error. Deleted with the run.';
COMMENT ON COLUMN cron_job_run_errors.id IS 'The order of insertion.';
COMMENT ON COLUMN cron_job_run_errors.run_id IS 'The run.';
COMMENT ON COLUMN cron_job_run_errors.entity IS 'The kind of item: appointment, doctor, facility, ...';
COMMENT ON COLUMN cron_job_run_errors.entity_id IS 'The key of the item.';
COMMENT ON COLUMN cron_job_run_errors.error_code IS 'A SQLSTATE, or a code of rounds.';
COMMENT ON COLUMN cron_job_run_errors.message IS 'The error as a sentence, redacted: never a value of a row.';
COMMENT ON COLUMN cron_job_run_errors.created_at IS 'When it was recorded.';
