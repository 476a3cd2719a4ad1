-- The action add_follower: adds users as followers of the ticket; all of them, or none if one is missing or inactive.
-- The caller (apply.sql) provides the CTEs due and target_users, and $14 action jsonb; the part defines the CTE
-- outcomes. It is a list of CTEs without a comma at the end: continue with a comma.
missing AS MATERIALIZED (
    SELECT string_agg(w.name, ', ' ORDER BY w.number) AS users
    FROM jsonb_array_elements_text($14 -> 'userIds') WITH ORDINALITY AS w (name, number)
    WHERE w.name NOT IN (SELECT u.id::text FROM target_users u)
),
added AS (
    INSERT INTO ticket_followers (ticket_id, user_id)
    SELECT d.id, u.id FROM due d CROSS JOIN target_users u CROSS JOIN missing
    WHERE missing.users IS NULL
      AND NOT EXISTS (SELECT FROM ticket_followers f WHERE f.ticket_id = d.id AND f.user_id = u.id)
),
outcomes AS (
    SELECT d.id, 'not there or not active: users ' || missing.users AS refused, $14 AS details
    FROM due d CROSS JOIN missing
)
