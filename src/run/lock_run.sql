-- Waits until the transaction that held the fence has ended, whichever way.
-- $1 run id uuid
SELECT status FROM cron_job_runs WHERE id = $1 FOR UPDATE
