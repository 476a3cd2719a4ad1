-- Locks a run's row; so it waits until a fenced transaction of the run has ended. Returns the status.
-- $1 run id uuid
SELECT status FROM cron_job_runs WHERE id = $1 FOR UPDATE
