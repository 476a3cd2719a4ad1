-- Returns one run with its metadata: its arguments and its report.
-- $1 id uuid
SELECT r.id, r.job_name, r.lane, r.status, r.source, r.actor, r.scheduled_for, r.started_at, r.completed_at,
       r.duration_ms, r.items_processed, r.items_failed, r.error_code, r.error_message, r.host, r.version,
       r.os_user, r.db_login, r.heartbeat_at, r.deadline_at, r.metadata
FROM cron_job_runs r
WHERE r.id = $1
