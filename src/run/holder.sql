-- Who holds the lane, and whether it has lost it: no heartbeat for a lease, or well past its deadline.
-- $1 job_name text · $2 lane text · $3 lease, milliseconds bigint
SELECT r.id, r.host, r.started_at,
       CASE WHEN r.heartbeat_at < clock.now - make_interval(secs => $3 / 1000.0) THEN 'LEASE_EXPIRED'
            WHEN r.deadline_at < clock.now - interval '30 seconds' THEN 'DEADLINE_EXCEEDED' END AS lost
FROM cron_job_runs r, (SELECT clock_timestamp() AS now) clock
WHERE r.job_name = $1 AND r.lane = $2 AND r.status = 'RUNNING'
