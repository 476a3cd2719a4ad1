-- What a person has stopped, and which database this is.

CREATE TABLE pauses (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_name      text CHECK (job_name <> ''),
    lane          text CHECK (lane <> ''),
    reason        text NOT NULL CHECK (btrim(reason) <> ''),
    paused_by     text NOT NULL,
    paused_at     timestamptz NOT NULL,
    until         timestamptz CHECK (until > paused_at),
    resumed_by    text,
    resumed_at    timestamptz,
    resume_reason text,
    CHECK (lane IS NULL OR job_name IS NOT NULL),
    CHECK (resumed_at IS NOT NULL OR (resumed_by IS NULL AND resume_reason IS NULL))
);

-- Of two people who pause the same only one does.
CREATE UNIQUE INDEX pauses_open ON pauses (COALESCE(job_name, ''), COALESCE(lane, '')) WHERE resumed_at IS NULL;

CREATE TABLE database_identity (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    database_name     text NOT NULL,
    database_oid      bigint NOT NULL,
    system_identifier text,
    timeline          integer,
    recorded_by       text,
    recorded_at       timestamptz NOT NULL
);

COMMENT ON TABLE pauses IS
    'The stop switch: what a person has paused, one row a pause; ended ones are kept as history. A run that begins '
    'in a pause of its lane is SKIPPED with the code PAUSED. When a user is gone, the row stays as evidence.';
COMMENT ON COLUMN pauses.id IS 'The order of insertion.';
COMMENT ON COLUMN pauses.job_name IS 'The job that is paused; NULL: all jobs.';
COMMENT ON COLUMN pauses.lane IS 'The lane that is paused; NULL: all lanes of the job.';
COMMENT ON COLUMN pauses.reason IS 'Why, as the person wrote it. `rounds health` shows it; no run and no log does.';
COMMENT ON COLUMN pauses.paused_by IS
    'The key of the user who paused it.';
COMMENT ON COLUMN pauses.paused_at IS 'When the pause began.';
COMMENT ON COLUMN pauses.until IS 'When it ends by itself; NULL: it does not.';
COMMENT ON COLUMN pauses.resumed_by IS
    'The key of the user who ended it; NULL: nobody did, it lasts or ended by itself.';
COMMENT ON COLUMN pauses.resumed_at IS
    'When it ended; NULL: it lasts, or `until` has passed and nobody has paused the same since.';
COMMENT ON COLUMN pauses.resume_reason IS 'Why it was ended, as the person wrote it; NULL: nothing was said.';

COMMENT ON TABLE database_identity IS
    'One row: the database in which the jobs may tell people. Where it is another one, because a backup was restored, '
    'their runs are SKIPPED with the code RESTORED until a person accepts it (`rounds resume --restored`). '
    'When the user who did is gone, the row stays as evidence.';
COMMENT ON COLUMN database_identity.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN database_identity.database_name IS 'The name of the database.';
COMMENT ON COLUMN database_identity.database_oid IS 'Its number on the server, which a database made anew changes.';
COMMENT ON COLUMN database_identity.system_identifier IS
    'The number that the server got when it was made; NULL: the server does not tell it.';
COMMENT ON COLUMN database_identity.timeline IS
    'The history of the server''s log, which a restore and a promotion change; NULL: the server does not tell it.';
COMMENT ON COLUMN database_identity.recorded_by IS
    'The key of the user who accepted it; NULL: `rounds migrate` or a run recorded it.';
COMMENT ON COLUMN database_identity.recorded_at IS 'When it was recorded.';

COMMENT ON COLUMN cron_job_runs.status IS
    'RUNNING, COMPLETED, FAILED or SKIPPED (another run held the lane, one succeeded lately, a person has paused it, '
    'the database is a restored backup, an argument named what is not there, or all that was due waits after many '
    'refusals).';
