-- Counts the messages of a channel that are due and not too old, up to a limit.
-- $1 channel text; $2 the instant timestamptz; $3 the oldest that is sent timestamptz; $4 the limit int8
SELECT count(*) AS due
FROM (SELECT FROM notifications n
      WHERE n.status = 'PENDING' AND n.channel = $1 AND COALESCE(n.next_attempt_at, n.created_at) <= $2
        AND COALESCE(n.put_back_at, n.created_at) >= $3 AND (n.expires_at IS NULL OR n.expires_at > $2)
      LIMIT $4) AS due
