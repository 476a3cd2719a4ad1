-- Returns the messages of a channel that are due: HIGH first, then the oldest.
-- The caller provides the columns of a message.
-- $1 channel text; $2 the instant timestamptz; $3 ids that are under way int8[]; $4 how many at most int8
SELECT m.*
FROM (VALUES (1, 'HIGH'), (2, 'NORMAL')) AS p (place, priority)
-- Each by itself in the order of the index.
CROSS JOIN LATERAL (
    SELECT {message}, COALESCE(n.next_attempt_at, n.created_at) AS due_at
    FROM notifications n
    WHERE n.status = 'PENDING' AND n.channel = $1 AND n.priority = p.priority
      AND COALESCE(n.next_attempt_at, n.created_at) <= $2 AND n.id <> ALL ($3)
    ORDER BY COALESCE(n.next_attempt_at, n.created_at), n.id LIMIT $4
) AS m
ORDER BY p.place, m.due_at, m.id LIMIT $4
