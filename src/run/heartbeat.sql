-- Writes the heartbeat of a run; it does not conflict with the fence. Changes no row if the run has been taken over.
-- $1 run id uuid
UPDATE cron_job_runs SET heartbeat_at = clock_timestamp() WHERE id = $1 AND status = 'RUNNING'
