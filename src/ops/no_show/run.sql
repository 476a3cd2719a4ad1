-- Returns what a run is, and whether it is at work: RUNNING, and not lost.
-- $1 id of the run uuid
SELECT r.job_name, r.status = 'RUNNING' AND {loss_reason} IS NULL AS is_at_work
FROM cron_job_runs r, (SELECT clock_timestamp() AS now) clock
WHERE r.id = $1
