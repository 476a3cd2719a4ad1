-- Returns the duration of a run that has closed its row itself; it is read after the reply to that was lost. Returns no
-- row if the run has been taken over.
-- $1 run id uuid · $2 status text · $3 error_code text or NULL
SELECT duration_ms FROM cron_job_runs
WHERE id = $1 AND status = $2 AND error_code IS NOT DISTINCT FROM $3 AND taken_over_by IS NULL
