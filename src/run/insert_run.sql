-- Inserts a run's row: the claim of its lane with status RUNNING, else the record of a run that did not get the lane.
-- A claim of a lane that is paused becomes the record that it was SKIPPED, whoever holds the lane.
-- Returns the start, whether items of the lane were refused, and the message of a pause; no row if another run holds
-- the lane, or if this run's row exists already.
-- $1 id uuid · $2 job_name text · $3 lane text · $4 status text · $5 source text · $6 scheduled_for timestamptz
-- $7 deadline in milliseconds bigint · $8 host text · $9 version text · $10 metadata jsonb
-- $11 error_code text or NULL · $12 error_message text or NULL · $13 lease in milliseconds bigint
-- $14 actor text or NULL, the id of a user · $15 whether a pause counts boolean · $16 os_user text
INSERT INTO cron_job_runs (id, job_name, lane, status, source, scheduled_for, started_at, heartbeat_at, deadline_at,
                           lease_ms, completed_at, duration_ms, host, version, metadata, error_code, error_message,
                           actor, os_user, db_login)
SELECT $1, $2, $3, outcome.status, $5, $6, clock.now, clock.now, clock.now + make_interval(secs => $7 / 1000.0),
       $13, CASE WHEN outcome.status <> 'RUNNING' THEN clock.now END, CASE WHEN outcome.status <> 'RUNNING' THEN 0 END,
       $8, $9, $10, CASE WHEN pause.message IS NULL THEN $11 ELSE 'PAUSED' END, COALESCE(pause.message, $12), $14,
       $16, session_user::text
FROM (SELECT clock_timestamp() AS now) clock
CROSS JOIN (SELECT CASE WHEN $15 AND $4 = 'RUNNING' THEN {paused} END AS message) pause
CROSS JOIN LATERAL (SELECT CASE WHEN pause.message IS NULL THEN $4 ELSE 'SKIPPED' END AS status) outcome
WHERE NOT EXISTS (SELECT FROM cron_job_runs r WHERE r.id = $1)
ON CONFLICT (job_name, lane) WHERE status = 'RUNNING' DO NOTHING
RETURNING started_at, EXISTS (SELECT FROM item_refusals x WHERE x.job_name = $2 AND x.lane = $3) AS has_refusals,
          CASE WHEN error_code = 'PAUSED' THEN error_message END AS paused
