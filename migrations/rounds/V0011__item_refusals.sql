-- Items that a run could not do, and when they are tried again: so that they stop nobody, are not tried at every run,
-- and are seen.

CREATE TABLE item_refusals (
    id               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    job_name         text NOT NULL CHECK (job_name <> ''),
    lane             text NOT NULL,
    entity           text NOT NULL,
    part             text NOT NULL,
    entity_id        text NOT NULL,
    error_code       text NOT NULL,
    message          text NOT NULL,
    refusals         integer NOT NULL CHECK (refusals > 0),
    first_refused_at timestamptz NOT NULL,
    last_refused_at  timestamptz NOT NULL,
    next_try_at      timestamptz NOT NULL,
    run_id           uuid NOT NULL,
    PRIMARY KEY (job_name, lane, entity, part, entity_id)
);

CREATE INDEX item_refusals_run ON item_refusals (run_id);

COMMENT ON TABLE item_refusals IS
    'The items that the last try could not do, once for each lane and part. Until next_try_at no run tries them. When '
    'the item is done, no longer due or gone, a run forgets it: it deletes the row. `rounds prune` deletes what no run '
    'tries any more.';
COMMENT ON COLUMN item_refusals.id IS 'The order of insertion.';
COMMENT ON COLUMN item_refusals.job_name IS 'The job, such as mark-no-shows.';
COMMENT ON COLUMN item_refusals.lane IS 'The lane of the job; empty where a job has one.';
COMMENT ON COLUMN item_refusals.entity IS 'The kind of item: appointment, ticket, facility, ...';
COMMENT ON COLUMN item_refusals.part IS
    'What was to be done where a job does several things with an item, such as a type of alert or a rule; empty where '
    'it does one. Equal to error_code: the item could not be judged, and nothing was tried.';
COMMENT ON COLUMN item_refusals.entity_id IS 'The key of the item.';
COMMENT ON COLUMN item_refusals.error_code IS 'The last error: a SQLSTATE, or a code of rounds.';
COMMENT ON COLUMN item_refusals.message IS 'The last error as a sentence, redacted: never a value of a row.';
COMMENT ON COLUMN item_refusals.refusals IS 'How many times in a row the item was refused.';
COMMENT ON COLUMN item_refusals.first_refused_at IS 'When it was first refused.';
COMMENT ON COLUMN item_refusals.last_refused_at IS 'When it was last refused.';
COMMENT ON COLUMN item_refusals.next_try_at IS
    'When a run tries it again: 15 minutes after the first refusal, twice as long after each further one, at most 23 '
    'hours.';
COMMENT ON COLUMN item_refusals.run_id IS 'The run that was refused last; it may be pruned.';

COMMENT ON COLUMN cron_job_runs.status IS
    'RUNNING, COMPLETED, FAILED or SKIPPED (another run held the lane, one succeeded lately, an argument named what is '
    'not there, or all that was due waits after many refusals).';
COMMENT ON COLUMN cron_job_runs.items_failed IS
    'How many items failed, or were done and could be told to nobody. They are in cron_job_run_errors: what cannot be '
    'judged, not at each run; of a row of refusals with one code, the first ninety-nine and one TOO_MANY_REFUSED.';
