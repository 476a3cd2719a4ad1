-- Notifies the users, and the endpoint, who got a notice that a job keeps failing that it works again, once. Returns the number of
-- failures in a row before it, of notices that it works again, and of the notices of the failures.
-- $1 id of the run that has just succeeded uuid · $2 name of the endpoint text, or NULL
WITH
this AS MATERIALIZED (
    SELECT job_name, lane, concat_ws('-', job_name, NULLIF(lane, '')) AS name FROM cron_job_runs WHERE id = $1
),
streak AS MATERIALIZED (
    SELECT count(*) AS failures, bool_and(f.error_code = 'BRAKE') AS is_braked,
           (array_agg(f.id::text ORDER BY f.completed_at, f.id))[1] AS first_run
    FROM this l
    {failures}
),
recipients AS (
    SELECT 'USER' AS kind, u.id::text AS id, NULL::text AS address, notice.channel
    FROM streak
    JOIN users u ON u.active
    {channels}
    WHERE notice.wanted
      AND EXISTS (SELECT FROM notifications n
                  WHERE n.type = 'JOB_FAILING' AND n.entity_id = streak.first_run AND n.recipient_id = u.id::text)
    UNION ALL
    SELECT 'ADDRESS', NULL, $2, 'WEBHOOK'
    FROM streak
    WHERE EXISTS (SELECT FROM notifications n
                  WHERE n.type = 'JOB_FAILING' AND n.entity_id = streak.first_run AND n.recipient_id IS NULL
                    AND n.address = $2)
),
staged AS (
    SELECT r.kind AS recipient_kind, r.id AS recipient_id, r.address, r.channel,
           'JOB_RECOVERED' AS type, 'NORMAL' AS priority,
           this.name || CASE WHEN streak.is_braked THEN ' runs again' ELSE ' works again' END AS title,
           -- What only its brake has stopped was never broken.
           CASE WHEN streak.is_braked THEN format('%s runs again; it had been stopped by its brake.', this.name)
                ELSE format('%s works again after %s consecutive failure%s.', this.name, streak.failures,
                            CASE WHEN streak.failures > 1 THEN 's' END)
           END AS body,
           jsonb_build_object('job', this.job_name, 'lane', this.lane, 'after_failures', streak.failures) AS metadata,
           jsonb_build_object('job', this.name, 'failures', streak.failures)
               || CASE WHEN streak.is_braked THEN '{{"form": "BRAKED"}}'::jsonb ELSE '{{}}' END AS placeholders,
           'cron_job_run' AS entity, streak.first_run AS entity_id, NULL::text AS facility_id,
           concat_ws(':', 'job_recovered', streak.first_run) AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, clock_timestamp() AS staged_at, $1 AS run_id
    FROM this CROSS JOIN streak CROSS JOIN recipients r
),
{outbox}
SELECT (SELECT failures FROM streak) AS failures, (SELECT count(*) FROM notified) AS notices,
       (SELECT count(*) FROM notifications n
        WHERE n.type = 'JOB_FAILING' AND n.entity_id = (SELECT first_run FROM streak)) AS earlier
