-- Gives the ticket to a user, to a team, or to a user of a team. A user must be of the team that the ticket then has; an
-- assignee who is not of a new team loses it.
target AS MATERIALIZED (
    SELECT ($14 ->> 'userId')::bigint AS user_id, ($14 ->> 'teamId')::bigint AS team_id
),
judged AS MATERIALIZED (
    SELECT d.id, d.assignee_id, d.team_id, team.id AS new_team_id,
           CASE WHEN x.user_id IS NOT NULL THEN x.user_id WHEN stays.is_member THEN d.assignee_id END AS new_assignee_id,
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
    ) stays
),
reassigned AS (
    UPDATE tickets t SET assignee_id = j.new_assignee_id, team_id = j.new_team_id, updated_at = $1 FROM judged j
    WHERE t.id = j.id AND j.refused IS NULL
),
acted AS (
    SELECT id, refused,
           CASE WHEN refused IS NULL
                THEN jsonb_build_object('from', jsonb_build_object('userId', assignee_id, 'teamId', team_id),
                                        'to', jsonb_build_object('userId', new_assignee_id, 'teamId', new_team_id))
                ELSE '{}' END AS details
    FROM judged
)
