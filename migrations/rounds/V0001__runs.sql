-- The run's own tables: what ran, when, and what it could not do.

-- One row: this database belongs to rounds, and the oldest binary that may still work on it. A migration that an older
-- binary could not live with raises min_binary_schema to its own version (expand, then contract).
CREATE TABLE rounds_schema (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    min_binary_schema integer NOT NULL CHECK (min_binary_schema > 0)
);
INSERT INTO rounds_schema (min_binary_schema) VALUES (1);

CREATE TABLE cron_job_runs (
    id              uuid PRIMARY KEY,             -- made by the client, so that a lost reply can be resolved
    job_name        text NOT NULL CHECK (job_name <> ''),
    lane            text NOT NULL DEFAULT '',     -- what may run side by side, and is judged apart
    status          text NOT NULL CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED')),
    source          text NOT NULL DEFAULT 'manual' CHECK (source IN ('cron', 'manual', 'external')),
    actor           text,                         -- the user id of whoever ran it by hand
    scheduled_for   timestamptz,                  -- the slot that the scheduler meant
    started_at      timestamptz NOT NULL,
    heartbeat_at    timestamptz NOT NULL,
    deadline_at     timestamptz NOT NULL,
    lease_ms        bigint NOT NULL DEFAULT 60000 CHECK (lease_ms > 0),  -- how long it may be silent, in milliseconds
    completed_at    timestamptz,
    duration_ms     bigint CHECK (duration_ms >= 0),
    items_processed bigint NOT NULL DEFAULT 0 CHECK (items_processed >= 0),
    items_failed    bigint NOT NULL DEFAULT 0 CHECK (items_failed >= 0),
    error_code      text,
    error_message   text,                         -- redacted: never a value of a row
    host            text NOT NULL,
    version         text NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',  -- the arguments without secrets, and the report
    taken_over_by   uuid,                         -- the run that took this one over
    CHECK ((status = 'RUNNING') = (completed_at IS NULL)),
    CHECK (status <> 'FAILED' OR error_code IS NOT NULL)
) WITH (fillfactor = 70);                         -- room for heartbeats on the same page

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
    entity     text NOT NULL,                     -- the kind of thing: appointment, doctor, facility, ...
    entity_id  text NOT NULL,
    error_code text NOT NULL,
    message    text NOT NULL,                     -- redacted
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (run_id, entity, entity_id, error_code)
);
