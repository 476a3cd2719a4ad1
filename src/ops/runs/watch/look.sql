-- Returns the runs that are at work, those that began since an instant, and those with given ids; the newest first.
-- $1 job_name or job_name-lane text, or NULL · $2 since timestamptz, or NULL · $3 ids uuid[] · $4 limit bigint
SELECT r.id, r.job_name, r.lane, r.status, r.source, r.actor, r.scheduled_for, r.started_at, r.completed_at,
       r.duration_ms, r.items_processed, r.items_failed, r.error_code, r.error_message, r.host, r.version,
       r.os_user, r.db_login, r.heartbeat_at
FROM cron_job_runs r
WHERE ($1 IS NULL OR $1 IN (r.job_name, concat_ws('-', r.job_name, NULLIF(r.lane, ''))))
  AND (r.status = 'RUNNING' OR r.started_at >= $2 OR r.id = ANY ($3))
ORDER BY r.status = 'RUNNING' DESC, r.started_at DESC, r.id
LIMIT $4
