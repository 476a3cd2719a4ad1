-- The action notify_manager: notifies the active leaders of the ticket's team, if it is active; if none of them can be
-- told, the managers of the ticket's facility and those of all facilities; each as they prefer. The notice is NORMAL: it
-- is a clinic's own rule, which may be about anything, and a person may refuse such notices.
-- The caller (apply.sql) provides the CTE due, $14 action jsonb, and in braces the cut message and the joins to a row of
-- users u that add notice (channel, wanted); the part defines the CTEs outcomes and messages. It is a list of CTEs without a comma at the
-- end: continue with a comma.
leaders AS MATERIALIZED (
    SELECT d.id, d.number, d.facility_id, u.id AS user_id, notice.channel FROM due d
    JOIN teams g ON g.id = d.team_id AND g.active
    JOIN team_members m ON m.team_id = d.team_id AND m.is_leader
    JOIN users u ON u.id = m.user_id AND u.active
    {channels}
    WHERE notice.wanted
),
managers AS MATERIALIZED (
    SELECT u.id AS user_id, u.facility_id, notice.channel FROM users u
    {channels}
    WHERE u.active AND u.role IN ('MANAGER', 'HOSPITAL_ADMIN') AND notice.wanted
),
messages AS MATERIALIZED (
    SELECT p.id, p.number AS ticket, p.facility_id, 'USER' AS recipient_kind, p.user_id::text AS recipient_id, NULL::text AS address, p.channel,
           'TICKET_ESCALATED' AS type, 'NORMAL' AS priority, format('Ticket #%s escalated', p.number) AS title,
           {message} AS body,
           -- In the application the body is the text.
           CASE p.channel WHEN 'IN_APP' THEN '{{}}' ELSE jsonb_build_object('message', {message}) END AS words,
           NULL::bigint AS number
    FROM (
        SELECT id, number, facility_id, user_id, channel FROM leaders
        UNION
        SELECT d.id, d.number, d.facility_id, m.user_id, m.channel FROM due d
        JOIN managers m ON d.facility_id IS NULL OR m.facility_id IS NULL OR m.facility_id = d.facility_id
        WHERE d.id NOT IN (SELECT id FROM leaders)
    ) p
),
-- The count uses no join, because the planner has no statistics of the two CTEs and would compare each row with each.
outcomes AS (
    SELECT id, NULL::text AS refused, jsonb_build_object('notified', count(DISTINCT user_id)) AS details
    FROM (SELECT id, NULL::text AS user_id FROM due UNION ALL SELECT id, recipient_id FROM messages) recipients
    GROUP BY id
)
