-- CTEs that add the deleted runs to the totals of their lanes, so that `rounds runs stats` counts them still.
-- The caller provides the CTE deleted, all columns of rows of cron_job_runs. It begins with a comma, and the caller
-- continues with SELECT.
,
added AS (
    INSERT INTO cron_job_run_totals AS t
        (job_name, lane, completed, failed, interrupted, skipped, items_processed, items_failed, timed, duration_ms,
         duration_min_ms, duration_max_ms, first_started_at, last_started_at, succeeded_at, failed_at)
    SELECT q.* FROM (
{totals}
    ) q
    ORDER BY q.job_name, q.lane
    ON CONFLICT (job_name, lane) DO UPDATE SET
        completed = t.completed + EXCLUDED.completed, failed = t.failed + EXCLUDED.failed,
        interrupted = t.interrupted + EXCLUDED.interrupted, skipped = t.skipped + EXCLUDED.skipped,
        items_processed = t.items_processed + EXCLUDED.items_processed,
        items_failed = t.items_failed + EXCLUDED.items_failed, timed = t.timed + EXCLUDED.timed,
        duration_ms = t.duration_ms + EXCLUDED.duration_ms,
        duration_min_ms = LEAST(t.duration_min_ms, EXCLUDED.duration_min_ms),
        duration_max_ms = GREATEST(t.duration_max_ms, EXCLUDED.duration_max_ms),
        first_started_at = LEAST(t.first_started_at, EXCLUDED.first_started_at),
        last_started_at = GREATEST(t.last_started_at, EXCLUDED.last_started_at),
        succeeded_at = GREATEST(t.succeeded_at, EXCLUDED.succeeded_at),
        failed_at = GREATEST(t.failed_at, EXCLUDED.failed_at)
    RETURNING 1
),
timed AS (
    INSERT INTO cron_job_run_durations AS t (job_name, lane, bucket, runs)
    SELECT q.* FROM (
{durations}
    ) q
    ORDER BY q.job_name, q.lane, q.bucket
    ON CONFLICT (job_name, lane, bucket) DO UPDATE SET runs = t.runs + EXCLUDED.runs
    RETURNING 1
)
