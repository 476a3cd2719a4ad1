-- Returns this run's own row if it exists, else the run that holds the lane; and the reason for which that run has lost
-- the lane, or NULL. The longer lease of the two runs counts.
-- $1 job_name text · $2 lane text · $3 lease in milliseconds bigint · $4 id of this run uuid
SELECT r.id, r.status, r.host, r.started_at, r.error_code, r.error_message,
       {loss_reason} AS lost
FROM cron_job_runs r, (SELECT clock_timestamp() AS now) clock
WHERE r.id = $4 OR (r.job_name = $1 AND r.lane = $2 AND r.status = 'RUNNING')
ORDER BY r.id = $4 DESC
LIMIT 1
