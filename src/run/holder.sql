-- This very run's row, where it is there already; else who holds the lane, and whether it has lost it: no heartbeat for
-- a lease (the longer one of the two runs'), or well past its deadline.
-- $1 job_name text · $2 lane text · $3 lease, milliseconds bigint · $4 id of this run uuid
SELECT r.id, r.status, r.host, r.started_at,
       {lost} AS lost
FROM cron_job_runs r, (SELECT clock_timestamp() AS now) clock
WHERE r.id = $4 OR (r.job_name = $1 AND r.lane = $2 AND r.status = 'RUNNING')
ORDER BY r.id = $4 DESC
LIMIT 1
