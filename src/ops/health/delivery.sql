-- Returns for each channel of messages the oldest that is due, how many are uncertain, and how many of those of the last
-- day have failed.
-- $1 channels text[] · $2 the instant timestamptz · $3 the beginning of the day timestamptz
WITH
-- Of all channels at once: the index of the days is not by channel.
of_the_day AS (
    SELECT n.channel, count(*) FILTER (WHERE n.status = 'FAILED') AS failed,
           count(*) FILTER (WHERE n.status IN ('SENT', 'FAILED', 'UNCERTAIN')) AS tried
    FROM notifications n
    WHERE n.created_at >= $3 AND n.channel <> 'IN_APP'
    GROUP BY n.channel
)
SELECT
    -- HIGH and NORMAL apart, as in the index.
    LEAST((SELECT min(COALESCE(n.next_attempt_at, n.created_at)) FROM notifications n
           WHERE n.status = 'PENDING' AND n.channel = c.channel AND n.priority = 'HIGH'
             AND COALESCE(n.next_attempt_at, n.created_at) <= $2),
          (SELECT min(COALESCE(n.next_attempt_at, n.created_at)) FROM notifications n
           WHERE n.status = 'PENDING' AND n.channel = c.channel AND n.priority = 'NORMAL'
             AND COALESCE(n.next_attempt_at, n.created_at) <= $2)) AS due_since,
    (SELECT count(*) FROM notifications n
     WHERE n.status IN ('SENDING', 'UNCERTAIN') AND n.status = 'UNCERTAIN' AND n.channel = c.channel) AS uncertain,
    COALESCE(d.failed, 0) AS failed, COALESCE(d.tried, 0) AS tried
FROM unnest($1::text[]) WITH ORDINALITY AS c (channel, number)
LEFT JOIN of_the_day d ON d.channel = c.channel
ORDER BY c.number
