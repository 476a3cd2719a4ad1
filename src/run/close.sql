-- Changes the status of a run that is still RUNNING. It locks the row FOR UPDATE first, because that waits for a fenced
-- transaction, which holds the row FOR KEY SHARE; a plain UPDATE would not wait. Returns the duration, and whether the
-- previous run of the lane failed; no row if the run has been taken over.
-- $1 id uuid · $2 status text · $3 error_code text or NULL · $4 error_message text or NULL
-- $5 items_processed bigint · $6 items_failed bigint · $7 report jsonb or NULL, merged into the metadata
-- $8 taken_over_by uuid or NULL, the run that takes this one over
WITH locked AS MATERIALIZED (
    SELECT id FROM cron_job_runs WHERE id = $1 AND status = 'RUNNING' FOR UPDATE
),
-- The evidence of its transactions, which nobody asks for any more.
forgotten AS (
    DELETE FROM run_batches b USING locked WHERE b.run_id = locked.id
),
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM locked
)
UPDATE cron_job_runs r
SET status = $2, error_code = $3, error_message = $4, items_processed = $5, items_failed = $6,
    completed_at = clock.now,
    duration_ms = GREATEST(0, round(EXTRACT(epoch FROM clock.now - r.started_at) * 1000))::bigint,
    metadata = r.metadata || COALESCE($7, '{{}}'), taken_over_by = $8
FROM locked, clock
WHERE r.id = locked.id AND r.status = 'RUNNING'
RETURNING r.duration_ms,
          EXISTS (SELECT FROM (SELECT p.status FROM cron_job_runs p
                               WHERE p.job_name = r.job_name AND p.lane = r.lane AND p.id <> r.id
                                 AND p.status IN ('COMPLETED', 'FAILED')
                                 AND {has_passed}
                               ORDER BY p.completed_at DESC LIMIT 1) before
                  WHERE before.status = 'FAILED') AS after_failure
