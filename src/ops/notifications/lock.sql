-- Locks a message that a person wants to change, against runs and other people, and returns its state.
-- $1 id bigint
SELECT n.id, n.status, n.channel, n.facility_id, n.expires_at, n.settled_by
FROM notifications n
WHERE n.id = $1
FOR NO KEY UPDATE
