-- Returns the notifications of a period by channel and state.
-- $1 beginning timestamptz · $2 end timestamptz
SELECT n.channel, n.status, count(*) AS messages
FROM notifications n
WHERE n.created_at >= $1 AND n.created_at < $2
GROUP BY n.channel, n.status
ORDER BY n.channel, n.status
