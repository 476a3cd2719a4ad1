-- Opens the log of a run, and closes the logs of runs that died. Names are kept as they are now.
-- $1 sync type text · $2 organization or NULL, a key · $3 patient text or NULL
-- $4 who started it or NULL, the id of a user, a key · $5 run id uuid
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
dead AS (
    UPDATE sync_logs l
    SET status = 'failed', completed_at = clock.now,
        duration_ms = floor(EXTRACT(epoch FROM clock.now - l.started_at) * 1000),
        error_message = 'the run died; what it had read by then is stored'
    FROM clock
    WHERE l.status = 'in_progress'
      AND NOT EXISTS (SELECT FROM cron_job_runs r
                      WHERE r.id = l.run_id AND r.status = 'RUNNING' AND ({loss_reason}) IS NULL)
)
INSERT INTO sync_logs (sync_type, organization_id, organization_name, patient_id, triggered_by_user_id,
                       triggered_by_name, started_at, run_id)
SELECT $1, o.id::text, o.name::text, $3, u.id::text, u.name::text, clock.now, $5
FROM clock
LEFT JOIN organizations o ON o.id = $2
LEFT JOIN users u ON u.id = $4
RETURNING id
