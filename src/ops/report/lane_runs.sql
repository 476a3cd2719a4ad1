-- Returns when the runs of a lane began and ended, in order, for the slots that they cover.
-- $1 job_name text · $2 lane text · $3 beginning timestamptz · $4 end timestamptz
SELECT r.started_at, r.completed_at, r.scheduled_for, r.status
FROM cron_job_runs r
WHERE r.job_name = $1 AND r.lane = $2 AND r.started_at >= $3 AND r.started_at < $4
ORDER BY r.started_at, r.id
