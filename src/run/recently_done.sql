-- The newest success of a lane, or stop by its brake, which waits for a person's word, where it is not older than asked for.
-- $1 job_name text · $2 lane text · $3 how old, milliseconds bigint
SELECT id, status = 'COMPLETED' AS succeeded FROM cron_job_runs
WHERE job_name = $1 AND lane = $2 AND (status = 'COMPLETED' OR (status = 'FAILED' AND error_code = 'BRAKE'))
  AND completed_at >= clock_timestamp() - make_interval(secs => $3 / 1000.0)
ORDER BY completed_at DESC
LIMIT 1
