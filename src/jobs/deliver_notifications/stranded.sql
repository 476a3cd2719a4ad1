-- Returns the messages that runs which are gone have left under way: the lane is this run's, so all that another run
-- has marked.
-- $1 channel text; $2 the run uuid; $3 how many at most int8
SELECT n.id, n.recipient_kind, n.recipient_id, n.address, n.type, n.priority, n.title, n.body, n.placeholders,
       n.metadata, n.entity, n.entity_id, n.facility_id, n.locale, n.attempts, n.created_at, n.put_back_at,
       n.expires_at, n.sending_at
FROM notifications n
WHERE n.status = 'SENDING' AND n.channel = $1 AND n.sending_run IS DISTINCT FROM $2
ORDER BY n.id LIMIT $3
