-- The end that a run has written itself, looked for after a lost reply: how long it took. One that was taken over has none.
-- $1 run id uuid · $2 status text · $3 error_code text or NULL
SELECT duration_ms FROM cron_job_runs
WHERE id = $1 AND status = $2 AND error_code IS NOT DISTINCT FROM $3 AND taken_over_by IS NULL
