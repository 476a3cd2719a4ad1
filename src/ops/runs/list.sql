-- Returns runs, the newest first.
-- $1 job_name or job_name-lane text, or NULL · $2 status text or NULL · $3 since timestamptz or NULL · $4 limit bigint
SELECT r.id, r.job_name, r.lane, r.status, r.source, r.actor, r.scheduled_for, r.started_at, r.completed_at,
       r.duration_ms, r.items_processed, r.items_failed, r.error_code, r.error_message, r.host, r.version,
       r.os_user, r.db_login
FROM cron_job_runs r
WHERE ($1 IS NULL OR $1 IN (r.job_name, concat_ws('-', r.job_name, NULLIF(r.lane, ''))))
  AND ($2 IS NULL OR r.status = $2) AND ($3 IS NULL OR r.started_at >= $3)
ORDER BY r.started_at DESC, r.id
LIMIT $4
