-- Returns what runs have recorded of a message, the latest first.
-- $1 id of the message text · $2 limit bigint
SELECT e.run_id, e.error_code, e.created_at
FROM cron_job_run_errors e
WHERE e.entity = 'notification' AND e.entity_id = $1
ORDER BY e.created_at DESC, e.id DESC
LIMIT $2
