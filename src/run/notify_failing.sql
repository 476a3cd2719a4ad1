-- Notifies every active HOSPITAL_ADMIN, and the endpoint if there is one, that a job keeps failing, once for each error code and day. The day has 23
-- hours, so that a daily job does not miss it by a second. The notices of one streak name its first run, by which they
-- are found again. Returns the number of failures in a row, the first run of these, the number of admins, of admins who
-- are due to be notified, and of notices.
-- $1 id of the run that has just failed uuid · $2 the least number of failures for a notice bigint
-- $3 the least number of failures for the text "keeps failing" bigint; with fewer, the text names the brake
-- $4 name of an endpoint text, or NULL
WITH
this AS MATERIALIZED (
    SELECT job_name, lane, concat_ws('-', job_name, NULLIF(lane, '')) AS name, error_code, error_message
    FROM cron_job_runs WHERE id = $1
),
streak AS MATERIALIZED (
    SELECT count(*) AS failures, (array_agg(f.id::text ORDER BY f.completed_at, f.id))[1] AS first_run
    FROM this l
    {failures}
),
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
-- The key ends with the number of earlier notices, so that of two runs that fail at the same moment only one notifies.
recipients AS (
    SELECT 'USER' AS kind, u.id::text AS id, NULL::text AS address, notice.channel
    FROM users u
    {channels}
    WHERE u.active AND u.role = 'HOSPITAL_ADMIN' AND notice.wanted
    UNION ALL
    SELECT 'ADDRESS', NULL, $4, 'WEBHOOK' WHERE $4 IS NOT NULL
),
staged AS (
    SELECT r.kind AS recipient_kind, r.id AS recipient_id, r.address, r.channel,
           'JOB_FAILING' AS type, 'HIGH' AS priority,
           this.name || CASE WHEN streak.failures >= $3 THEN ' keeps failing' ELSE ' waits for your word' END AS title,
           CASE WHEN streak.failures >= $3
                THEN format('%s failed %s times consecutively. Last error: %s [%s]', this.name, streak.failures,
                            this.error_message, this.error_code)
                ELSE format('%s was stopped by its brake: %s [%s]', this.name, this.error_message, this.error_code)
           END AS body,
           jsonb_build_object('job', this.job_name, 'lane', this.lane, 'failures', streak.failures,
                              'error_code', this.error_code) AS metadata,
           jsonb_build_object('job', this.name, 'failures', streak.failures, 'error', this.error_message,
                              'error_code', this.error_code)
               || CASE WHEN streak.failures >= $3 THEN '{{}}' ELSE '{{"form": "BRAKED"}}'::jsonb END AS placeholders,
           'cron_job_run' AS entity, streak.first_run AS entity_id, NULL::text AS facility_id,
           concat_ws(':', 'job_failing', streak.first_run, this.error_code, earlier.notices) AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, clock.now AS staged_at, $1 AS run_id
    FROM this CROSS JOIN streak CROSS JOIN clock CROSS JOIN recipients r
    CROSS JOIN LATERAL (
        SELECT count(*) AS notices, max(n.created_at) FILTER (WHERE {notice_has_passed}) AS last_at
        FROM notifications n
        WHERE n.type = 'JOB_FAILING' AND n.entity_id = streak.first_run
          AND (n.recipient_id = r.id OR n.recipient_id IS NULL AND n.address = r.address)
          AND n.metadata ->> 'error_code' = this.error_code
    ) earlier
    WHERE streak.failures >= $2
      AND (earlier.last_at IS NULL OR earlier.last_at <= clock.now - interval '23 hours')
),
{outbox}
SELECT (SELECT failures FROM streak) AS failures, (SELECT first_run FROM streak) AS first_run,
       (SELECT count(*) FROM users u WHERE u.active AND u.role = 'HOSPITAL_ADMIN') AS admins,
       (SELECT count(*) FROM staged) AS due, (SELECT count(*) FROM notified) AS notices
