-- What `rounds runs stats` says of runs that `rounds prune` has deleted, and the indexes by which `rounds health` and
-- `rounds report` find failures and alerts.

CREATE TABLE cron_job_run_totals (
    job_name         text NOT NULL,
    lane             text NOT NULL,
    completed        bigint NOT NULL CHECK (completed >= 0),
    failed           bigint NOT NULL CHECK (failed >= 0),
    interrupted      bigint NOT NULL CHECK (interrupted >= 0),
    skipped          bigint NOT NULL CHECK (skipped >= 0),
    items_processed  numeric NOT NULL CHECK (items_processed >= 0),
    items_failed     numeric NOT NULL CHECK (items_failed >= 0),
    timed            bigint NOT NULL CHECK (timed >= 0),
    duration_ms      numeric NOT NULL CHECK (duration_ms >= 0),
    duration_min_ms  bigint CHECK (duration_min_ms >= 0),
    duration_max_ms  bigint CHECK (duration_max_ms >= duration_min_ms),
    first_started_at timestamptz NOT NULL,
    last_started_at  timestamptz NOT NULL,
    succeeded_at     timestamptz,
    failed_at        timestamptz,
    PRIMARY KEY (job_name, lane)
);

CREATE TABLE cron_job_run_durations (
    job_name text NOT NULL,
    lane     text NOT NULL,
    bucket   integer NOT NULL CHECK (bucket >= 0),
    runs     bigint NOT NULL CHECK (runs > 0),
    PRIMARY KEY (job_name, lane, bucket)
);

-- The last failure of a lane that seldom fails, without a look at all its successes.
CREATE INDEX cron_job_runs_failed ON cron_job_runs (job_name, lane, completed_at DESC) WHERE status = 'FAILED';
-- Alerts come in the order of time: pages and not rows need be told apart.
CREATE INDEX stage_alerts_triggered ON stage_alerts USING brin (triggered_at);

COMMENT ON TABLE cron_job_run_totals IS
    'The runs that rounds prune has deleted, added up for each job and lane, so that rounds runs stats counts since '
    'ever. prune adds to it in the statement that deletes.';
COMMENT ON COLUMN cron_job_run_totals.job_name IS 'The job, such as mark-no-shows.';
COMMENT ON COLUMN cron_job_run_totals.lane IS
    'The lane, with an asterisk in place of an id, so that the runs of all patients are one.';
COMMENT ON COLUMN cron_job_run_totals.completed IS 'Deleted runs that were COMPLETED.';
COMMENT ON COLUMN cron_job_run_totals.failed IS 'Deleted runs that were FAILED, without those that were interrupted.';
COMMENT ON COLUMN cron_job_run_totals.interrupted IS 'Deleted runs that somebody stopped (INTERRUPTED).';
COMMENT ON COLUMN cron_job_run_totals.skipped IS 'Deleted runs that were SKIPPED.';
COMMENT ON COLUMN cron_job_run_totals.items_processed IS 'The items that these runs changed.';
COMMENT ON COLUMN cron_job_run_totals.items_failed IS 'The items that failed in these runs.';
COMMENT ON COLUMN cron_job_run_totals.timed IS 'The COMPLETED runs of which the duration is known.';
COMMENT ON COLUMN cron_job_run_totals.duration_ms IS 'The sum of their durations, in milliseconds.';
COMMENT ON COLUMN cron_job_run_totals.duration_min_ms IS
    'The shortest of them, in milliseconds; NULL: none is known.';
COMMENT ON COLUMN cron_job_run_totals.duration_max_ms IS 'The longest of them, in milliseconds; NULL: none is known.';
COMMENT ON COLUMN cron_job_run_totals.first_started_at IS 'When the first deleted run began.';
COMMENT ON COLUMN cron_job_run_totals.last_started_at IS 'When the last deleted run began.';
COMMENT ON COLUMN cron_job_run_totals.succeeded_at IS 'When the last of them that was COMPLETED ended; NULL: none was.';
COMMENT ON COLUMN cron_job_run_totals.failed_at IS
    'When the last of them that was FAILED, and not interrupted, ended; NULL: none was.';

COMMENT ON TABLE cron_job_run_durations IS
    'A histogram of the durations of the COMPLETED runs that rounds prune has deleted, for each job and lane.';
COMMENT ON COLUMN cron_job_run_durations.job_name IS 'The job, such as mark-no-shows.';
COMMENT ON COLUMN cron_job_run_durations.lane IS 'The lane, as in cron_job_run_totals.';
COMMENT ON COLUMN cron_job_run_durations.bucket IS
    'Which durations: below 32 each whole millisecond has a bucket; from there on each doubling has 16 of equal width, '
    'so that a bucket is at most 1/16 wide. For d milliseconds of b binary digits, and s = greatest(b - 5, 0), the '
    'bucket is 16 s + (d >> s).';
COMMENT ON COLUMN cron_job_run_durations.runs IS 'How many runs.';
