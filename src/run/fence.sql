-- Fences a transaction and writes its evidence: no other run can take this one over while the transaction holds this
-- lock. Returns a row, or none if the run has been taken over.
-- The limit of lock waits that was set before is that of the fence; the statements after it have their own.
-- $1 run id uuid · $2 number of the transaction in the run int · $3 lock_timeout of what follows text
WITH fenced AS MATERIALIZED (
    SELECT id FROM cron_job_runs WHERE id = $1 AND status = 'RUNNING' FOR KEY SHARE
)
INSERT INTO run_batches (run_id, batch) SELECT fenced.id, $2 FROM fenced
RETURNING batch, set_config('lock_timeout', $3, true)
