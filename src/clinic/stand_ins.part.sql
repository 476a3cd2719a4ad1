-- The CTE `stand_ins` (id, user_id, channel): who is told of an item that concerns nobody who could be told. They are
-- the active MANAGERs of its facility, and those of all facilities; where none of them can be told, the HOSPITAL_ADMINs
-- likewise. Of an item of no facility those of every facility are told.
-- The caller provides the CTE alone (id, facility_id), the items; and in braces the joins to a row of users u that add
-- notice (channel, wanted). It is a list of CTEs without a comma at the end: continue with a comma.
-- Read once, and only if there are such items. The role is compared as text, because the application's type of it need
-- not have both names.
managers AS MATERIALIZED (
    SELECT u.id AS user_id, u.facility_id, u.role::text = 'HOSPITAL_ADMIN' AS is_admin, notice.channel
    FROM users u
    {channels}
    WHERE u.active AND u.role::text IN ('MANAGER', 'HOSPITAL_ADMIN') AND notice.wanted
),
stand_ins AS MATERIALIZED (
    SELECT near.id, near.user_id, near.channel
    FROM (
        SELECT a.id, m.user_id, m.channel, m.is_admin, bool_and(m.is_admin) OVER (PARTITION BY a.id) AS only_admins
        FROM alone a JOIN managers m ON a.facility_id IS NULL OR m.facility_id IS NULL OR m.facility_id = a.facility_id
    ) near
    WHERE near.is_admin = near.only_admins
)
