-- The action reassign_ticket: assigns the ticket to a user, to a team, or to a user of a team. The user must belong to
-- the ticket's resulting team. An assignee who does not belong to a new team is removed.
-- The caller (apply.sql) provides the CTE due, $1 now timestamptz and $14 action jsonb; the part defines the CTE
-- outcomes. It is a list of CTEs without a comma at the end: continue with a comma.
target AS MATERIALIZED (
    SELECT ($14 ->> 'userId')::bigint AS user_id, ($14 ->> 'teamId')::bigint AS team_id
),
assignments AS MATERIALIZED (
    SELECT d.id, d.assignee_id, d.team_id, team.id AS new_team_id,
           CASE WHEN x.user_id IS NOT NULL THEN x.user_id
                WHEN assignee.is_member THEN d.assignee_id END AS new_assignee_id,
           CASE WHEN x.team_id IS NOT NULL AND NOT EXISTS (SELECT FROM teams WHERE id = x.team_id AND active)
                    THEN format('team %s does not exist or is not active', x.team_id)
                WHEN x.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users WHERE id = x.user_id AND active)
                    THEN format('user %s does not exist or is not active', x.user_id)
                WHEN x.user_id IS NOT NULL AND team.id IS NOT NULL
                     AND NOT EXISTS (SELECT FROM team_members m WHERE m.team_id = team.id AND m.user_id = x.user_id)
                    THEN format('user %s does not belong to team %s', x.user_id, team.id) END AS refused
    FROM due d
    CROSS JOIN target x
    CROSS JOIN LATERAL (SELECT COALESCE(x.team_id, d.team_id) AS id) team
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM team_members m WHERE m.team_id = team.id AND m.user_id = d.assignee_id) AS is_member
    ) assignee
),
reassigned AS (
    UPDATE tickets t SET assignee_id = a.new_assignee_id, team_id = a.new_team_id, updated_at = $1 FROM assignments a
    WHERE t.id = a.id AND a.refused IS NULL
),
outcomes AS (
    SELECT id, refused,
           CASE WHEN refused IS NULL
                THEN jsonb_build_object('from', jsonb_build_object('userId', assignee_id, 'teamId', team_id),
                                        'to', jsonb_build_object('userId', new_assignee_id, 'teamId', new_team_id))
                ELSE '{}' END AS details
    FROM assignments
)
