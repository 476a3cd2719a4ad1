-- The newest success of a lane, where it is not older than asked for.
-- $1 job_name text · $2 lane text · $3 how old, milliseconds bigint
SELECT id FROM cron_job_runs
WHERE job_name = $1 AND lane = $2 AND status = 'COMPLETED'
  AND completed_at >= clock_timestamp() - make_interval(secs => $3 / 1000.0)
ORDER BY completed_at DESC
LIMIT 1
