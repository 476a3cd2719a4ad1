-- The action add_follower: adds users as followers of the ticket; all of them, or none if one is missing or inactive.
-- The caller (apply.sql) provides the CTE due and $14 action jsonb; the part defines the CTE outcomes. It is a list of
-- CTEs without a comma at the end: continue with a comma.
wanted AS MATERIALIZED (
    SELECT DISTINCT id::bigint AS user_id FROM jsonb_array_elements_text($14 -> 'userIds') AS ids (id)
),
missing AS MATERIALIZED (
    SELECT string_agg(w.user_id::text, ', ' ORDER BY w.user_id) AS users
    FROM wanted w WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = w.user_id AND u.active)
),
added AS (
    INSERT INTO ticket_followers (ticket_id, user_id)
    SELECT d.id, w.user_id FROM due d CROSS JOIN wanted w CROSS JOIN missing WHERE missing.users IS NULL
    ON CONFLICT DO NOTHING
),
outcomes AS (
    SELECT d.id, 'not there or not active: users ' || missing.users AS refused, $14 AS details
    FROM due d CROSS JOIN missing
)
