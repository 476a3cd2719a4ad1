-- One item that could not be done.
-- $1 run id uuid · $2 entity text · $3 entity_id text · $4 error_code text · $5 message text, redacted
INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
