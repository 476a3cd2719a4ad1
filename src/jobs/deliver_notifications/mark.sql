-- Marks messages as SENDING, just before their requests leave; returns those that it has marked. They are few: as many as
-- may be under way at once.
-- $1 ids int8[]; $2 the run uuid; $3 the instant timestamptz; $4 'held' text where nothing of them leaves yet
WITH locked AS (
    SELECT n.id FROM notifications n
    WHERE n.id = ANY ($1) AND n.status = 'PENDING' AND (n.expires_at IS NULL OR n.expires_at > $3)
    ORDER BY n.id
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notifications n
SET status = 'SENDING', sending_at = $3, sending_run = $2, attempts = n.attempts + 1, is_held = $4 = 'held'
FROM locked WHERE n.id = locked.id
RETURNING n.id
