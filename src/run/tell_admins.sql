-- Tells the admins of a facility something; where it has none, those of the group, and where there are none, all. Returns
-- how many there are and how many notices were inserted.
-- $1 facility text, or NULL for the group · $2 type text · $3 title text · $4 body text · $5 placeholders jsonb
-- $6 entity text · $7 its id text · $8 episode text · $9 now timestamptz · $10 run id uuid
WITH
admins AS (
    SELECT a.id, CASE WHEN a.facility_id::text = $1 THEN 0 WHEN a.facility_id IS NULL THEN 1 ELSE 2 END AS place
    FROM users a WHERE a.active AND a.role = 'HOSPITAL_ADMIN'
),
nearest AS (
    SELECT a.id FROM admins a WHERE a.place = (SELECT min(other.place) FROM admins other)
),
staged AS (
    SELECT 'USER' AS recipient_kind, u.id::text AS recipient_id, NULL::text AS address, notice.channel,
           $2::text AS type, 'NORMAL' AS priority, $3::text AS title, $4::text AS body, $5::jsonb AS metadata,
           $5::jsonb AS placeholders, $6::text AS entity, $7::text AS entity_id, $1::text AS facility_id,
           $8::text AS episode, false AS suppressed, NULL::timestamptz AS expires_at, $9::timestamptz AS staged_at,
           $10::uuid AS run_id
    FROM nearest n JOIN users u ON u.id = n.id
    {channels}
    WHERE notice.wanted
),
{outbox}
SELECT (SELECT count(*) FROM nearest) AS admins, (SELECT count(*) FROM notified) AS notices
