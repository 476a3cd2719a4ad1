-- Tells the admins of a facility of the visits that were flagged, in one list; where none of them can be told, those of
-- the group. Returns one row: the number of notices.
-- $1 now timestamptz · $2 the facility, a key · $3 the metadata jsonb · $4 title text · $5 body for the application text
-- $6 placeholders jsonb · $7 the visits of the list text[] · $8 run id uuid · $9 the facility text
WITH
admins AS MATERIALIZED (
    SELECT u.id, u.facility_id IS NULL AS is_of_the_group, notice.channel
    FROM users u
    {channels}
    WHERE u.active AND u.role::text = 'HOSPITAL_ADMIN' AND notice.wanted
      AND (u.facility_id = $2 OR u.facility_id IS NULL)
),
recipients AS MATERIALIZED (
    SELECT a.id, a.channel FROM admins a
    WHERE NOT a.is_of_the_group OR NOT EXISTS (SELECT FROM admins own WHERE NOT own.is_of_the_group)
),
listed AS (
    UPDATE schedule_flags x SET listed_at = $1
    WHERE x.facility_id = $9 AND x.appointment_id = ANY ($7) AND x.listed_at IS NULL AND x.cleared_at IS NULL
),
staged AS (
    SELECT 'USER' AS recipient_kind, r.id::text AS recipient_id, NULL::text AS address, r.channel,
           'SCHEDULE_CONFLICTS' AS type, 'NORMAL' AS priority, $4 AS title,
           CASE r.channel WHEN 'IN_APP' THEN $5 ELSE {email} END AS body, $3 AS metadata, $6 AS placeholders,
           'facility' AS entity, $9 AS entity_id, $9 AS facility_id,
           concat_ws(':', 'schedule_conflicts', $9, $8) AS episode, false AS suppressed,
           NULL::timestamptz AS expires_at, $1 AS staged_at, $8 AS run_id
    FROM recipients r
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT $9 AS id, format('%s: their patients were told, but nobody of the facility was: there is no active '
                            'HOSPITAL_ADMIN of it, or of the group', $4) AS message
    WHERE NOT EXISTS (SELECT FROM recipients)
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column}
