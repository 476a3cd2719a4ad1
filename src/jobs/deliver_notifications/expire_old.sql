-- Ends the messages of a channel that are too old to be sent, and those whose time is over; returns how many.
-- $1 channel text; $2 the instant timestamptz; $3 the oldest that is sent timestamptz; $4 how many at most int8
WITH
old AS (
    SELECT n.id, n.expires_at
    FROM notifications n
    WHERE n.status = 'PENDING' AND n.channel = $1 AND COALESCE(n.next_attempt_at, n.created_at) <= $2
      AND (COALESCE(n.put_back_at, n.created_at) < $3 OR n.expires_at <= $2)
    ORDER BY n.id LIMIT $4
    FOR NO KEY UPDATE SKIP LOCKED
),
ended AS (
    UPDATE notifications n
    SET status = 'EXPIRED', reason = CASE WHEN o.expires_at <= $2 THEN 'OVER' ELSE 'TOO_OLD' END
    FROM old o WHERE n.id = o.id
    RETURNING n.reason
)
SELECT count(*) AS ended, count(*) FILTER (WHERE reason = 'TOO_OLD') AS too_old FROM ended
