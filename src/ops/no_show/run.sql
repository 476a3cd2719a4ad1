-- Returns what a run is, and how far it is.
-- $1 id of the run uuid
SELECT r.job_name, r.status FROM cron_job_runs r WHERE r.id = $1
