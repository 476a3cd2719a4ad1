-- Returns how users can be reached.
-- $1 their keys
SELECT u.id::text AS id, {email} AS email, COALESCE(u.active, false) AS active
FROM users u WHERE u.id = ANY ($1)
