-- Returns a message without its text and address.
-- $1 id bigint
SELECT n.id, n.type, n.channel, n.priority, n.status, n.reason, n.recipient_kind, n.recipient_id, n.facility_id,
       n.attempts, n.created_at, n.next_attempt_at, n.sending_at, n.sent_at, n.entity, n.entity_id, n.metadata,
       n.expires_at, n.put_back_at, n.run_id, n.sending_run, n.provider_id, n.provider_status, n.provider_asked_at,
       n.delivered_at, n.read_at, n.settled_by
FROM notifications n
WHERE n.id = $1
