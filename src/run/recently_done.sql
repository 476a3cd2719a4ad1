-- Returns the newest recent run of a lane that succeeded, or that was stopped by its brake, which waits for a person's
-- decision. What lies in the future is not recent.
-- $1 job_name text · $2 lane text · $3 the age up to which a run is recent, in milliseconds bigint
SELECT id, status = 'COMPLETED' AS succeeded FROM cron_job_runs
WHERE job_name = $1 AND lane = $2 AND (status = 'COMPLETED' OR (status = 'FAILED' AND error_code = 'BRAKE'))
  AND completed_at >= clock_timestamp() - make_interval(secs => $3 / 1000.0)
  AND {has_passed}
ORDER BY completed_at DESC
LIMIT 1
