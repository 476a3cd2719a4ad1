-- Returns the UNCERTAIN messages of a channel that the provider's list is searched for: in each run for 10 minutes
-- after they may have been sent, since a list may be behind, and then every hour; for 24 hours.
-- The caller provides the columns of a message.
-- $1 channel text; $2 the instant timestamptz; $3 how many at most int8
SELECT {message}, n.sending_at
FROM notifications n
WHERE n.status = 'UNCERTAIN' AND n.channel = $1 AND n.sending_at > $2 - interval '24 hours'
  AND (n.provider_asked_at IS NULL OR n.sending_at > $2 - interval '10 minutes'
       OR n.provider_asked_at <= $2 - interval '1 hour')
ORDER BY n.provider_asked_at NULLS FIRST, n.id LIMIT $3
