-- Fences a transaction: no other run can take this one over while the transaction holds this lock. Returns the id of
-- the transaction; no row if the run has been taken over.
-- $1 run id uuid
SELECT pg_current_xact_id()::text FROM cron_job_runs WHERE id = $1 AND status = 'RUNNING' FOR KEY SHARE
