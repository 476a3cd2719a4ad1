-- Adds users to those who follow the ticket; all of them, or none.
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
acted AS (
    SELECT d.id, 'not there or not active: users ' || missing.users AS refused, $14 AS details
    FROM due d CROSS JOIN missing
)
