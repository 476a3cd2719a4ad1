-- The action notify_manager: notifies the active leaders of the ticket's team, if it is active; if there are none, the
-- managers of the ticket's facility and those of all facilities.
-- The caller (apply.sql) provides the CTE due and $14 action jsonb; the part defines the CTEs outcomes and messages. It
-- is a list of CTEs without a comma at the end: continue with a comma.
leaders AS MATERIALIZED (
    SELECT d.id, d.number, u.id AS user_id FROM due d
    JOIN teams g ON g.id = d.team_id AND g.active
    JOIN team_members m ON m.team_id = d.team_id AND m.is_leader
    JOIN users u ON u.id = m.user_id AND u.active
),
managers AS MATERIALIZED (
    SELECT u.id AS user_id, u.facility_id FROM users u WHERE u.active AND u.role IN ('MANAGER', 'HOSPITAL_ADMIN')
),
messages AS MATERIALIZED (
    SELECT p.id, 'USER' AS recipient_kind, p.user_id::text AS recipient_id, NULL::text AS address, 'IN_APP' AS channel,
           'TICKET_ESCALATED' AS type, format('Ticket #%s escalated', p.number) AS title, $14 ->> 'message' AS body,
           NULL::bigint AS number
    FROM (
        SELECT id, number, user_id FROM leaders
        UNION
        SELECT d.id, d.number, m.user_id FROM due d
        JOIN managers m ON d.facility_id IS NULL OR m.facility_id IS NULL OR m.facility_id = d.facility_id
        WHERE d.id NOT IN (SELECT id FROM leaders)
    ) p
),
-- The count uses no join, because the planner has no statistics of the two CTEs and would compare each row with each.
outcomes AS (
    SELECT id, NULL::text AS refused, jsonb_build_object('notified', count(user_id)) AS details
    FROM (SELECT id, NULL::text AS user_id FROM due UNION ALL SELECT id, recipient_id FROM messages) recipients
    GROUP BY id
)
