-- Records items that failed with one error. An item that is recorded with this error already is not recorded again.
-- Returns nothing.
-- $1 run id uuid · $2 entity text · $3 ids text[] · $4 error_code text · $5 message text, redacted
INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
SELECT $1, $2, id, $4, $5 FROM unnest($3) AS ids (id)
ON CONFLICT (run_id, entity, entity_id, error_code) DO NOTHING
