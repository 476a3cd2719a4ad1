-- Fences a transaction and writes its evidence: no other run can take this one over while the transaction holds this
-- lock. Returns a row, or none if the run has been taken over.
-- $1 run id uuid · $2 number of the transaction in the run int
WITH fenced AS MATERIALIZED (
    SELECT id FROM cron_job_runs WHERE id = $1 AND status = 'RUNNING' FOR KEY SHARE
)
INSERT INTO run_batches (run_id, batch) SELECT fenced.id, $2 FROM fenced
RETURNING batch
