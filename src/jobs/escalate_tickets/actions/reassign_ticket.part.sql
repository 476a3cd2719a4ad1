-- The action reassign_ticket: assigns the ticket to a user, to a team, or to a user of a team. The user must belong to
-- the ticket's resulting team. An assignee who does not belong to that, or is not active, is removed.
-- The caller (apply.sql) provides the CTEs due, target_users and target_team, $1 now timestamptz and $14 action jsonb;
-- the part defines the CTE outcomes. It is a list of CTEs without a comma at the end: continue with a comma.
target AS MATERIALIZED (
    SELECT named.user_id AS user_name, named.team_id AS team_name, u.id AS user_id, g.id AS team_id
    FROM (SELECT $14 ->> 'userId' AS user_id, $14 ->> 'teamId' AS team_id) named
    LEFT JOIN target_users u ON true
    LEFT JOIN target_team g ON true
),
assignments AS MATERIALIZED (
    SELECT d.id, d.assignee_id, d.team_id, team.id AS new_team_id,
           CASE WHEN x.user_id IS NOT NULL THEN x.user_id
                WHEN assignee.is_member THEN d.assignee_id END AS new_assignee_id,
           CASE WHEN x.team_name IS NOT NULL AND x.team_id IS NULL
                    THEN format('team %s does not exist or is not active', x.team_name)
                WHEN x.user_name IS NOT NULL AND x.user_id IS NULL
                    THEN format('user %s does not exist or is not active', x.user_name)
                WHEN x.user_id IS NOT NULL AND team.id IS NOT NULL
                     AND NOT EXISTS (SELECT FROM team_members m WHERE m.team_id = team.id AND m.user_id = x.user_id)
                    THEN format('user %s does not belong to team %s', x.user_id::text, team.id::text) END AS refused
    FROM due d
    CROSS JOIN target x
    CROSS JOIN LATERAL (SELECT COALESCE(x.team_id, d.team_id) AS id) team
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM team_members m JOIN users u ON u.id = m.user_id AND u.active
                       WHERE m.team_id = team.id AND m.user_id = d.assignee_id) AS is_member
    ) assignee
),
reassigned AS (
    UPDATE tickets t SET assignee_id = a.new_assignee_id, team_id = a.new_team_id, updated_at = $1 FROM assignments a
    WHERE t.id = a.id AND a.refused IS NULL
),
outcomes AS (
    SELECT id, refused,
           CASE WHEN refused IS NULL
                THEN jsonb_build_object(
                    'from', jsonb_build_object('userId', assignee_id::text, 'teamId', team_id::text),
                    'to', jsonb_build_object('userId', new_assignee_id::text, 'teamId', new_team_id::text))
                ELSE '{}' END AS details
    FROM assignments
)
