-- Stages the notice to the admins that many patients cannot be synced: once a day, by the account's clock.
-- $1 how many bigint · $2 now timestamptz · $3 run id uuid · $4 id of the log bigint; NULL: a dry run
WITH
staged AS (
    SELECT 'USER' AS recipient_kind, u.id::text AS recipient_id, NULL::text AS address, notice.channel,
           'SYNC_PATIENTS_FAILED' AS type, 'HIGH' AS priority, 'Patients cannot be synced from PracticeQ' AS title,
           format('%s patients failed in the sync; rounds runs show %s lists them.', $1, $3) AS body,
           jsonb_build_object('patients_failed', $1, 'sync_log_id', $4) AS metadata,
           jsonb_build_object('patients', $1, 'run', $3) AS placeholders,
           'sync_log' AS entity, coalesce($4::text, '') AS entity_id, NULL::text AS facility_id,
           concat_ws(':', 'practiceq_failed', ($2 AT TIME ZONE '{zone}')::date) AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, $2 AS staged_at, $3 AS run_id
    FROM users u
    {channels}
    WHERE u.active AND u.role = 'HOSPITAL_ADMIN' AND notice.wanted
),
{outbox}
SELECT count(*) AS notices FROM notified
