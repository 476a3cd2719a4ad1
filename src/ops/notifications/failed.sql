-- Locks the messages of a channel that failed before the provider took them, since an instant, the oldest first, and
-- returns their ids. What is held by somebody else is left.
-- $1 channel text · $2 since timestamptz · $3 facility text or NULL for all · $4 now timestamptz · $5 limit bigint
SELECT n.id
FROM notifications n
WHERE n.status = 'FAILED' AND n.channel = $1 AND n.created_at >= $2 AND ($3 IS NULL OR n.facility_id = $3)
  AND (n.expires_at IS NULL OR n.expires_at > $4) AND n.provider_id IS NULL
ORDER BY n.id
LIMIT $5
FOR NO KEY UPDATE SKIP LOCKED
