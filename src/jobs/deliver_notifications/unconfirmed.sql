-- Returns the messages of a channel that the provider is to be asked about: accepted at least 10 minutes ago, or asked
-- about an hour ago; for 24 hours. The first condition is the index's: what is older than it may reach is not read.
-- $1 channel text; $2 the instant timestamptz; $3 how many at most int8
SELECT n.id, n.provider_id, n.sent_at
FROM notifications n
WHERE n.status = 'SENT' AND n.provider_id IS NOT NULL AND n.delivered_at IS NULL AND n.reason IS NULL
  AND n.channel = $1
  AND COALESCE(n.provider_asked_at, n.sent_at) > $2 - interval '24 hours'
  AND COALESCE(n.provider_asked_at, n.sent_at) <= $2 - interval '10 minutes'
  AND n.sent_at > $2 - interval '24 hours'
  AND (n.provider_asked_at IS NULL OR n.provider_asked_at <= $2 - interval '1 hour')
ORDER BY COALESCE(n.provider_asked_at, n.sent_at) LIMIT $3
