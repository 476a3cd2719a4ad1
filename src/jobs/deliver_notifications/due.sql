-- Returns the messages of a channel that are due: HIGH first, then the oldest.
-- $1 channel text; $2 the instant timestamptz; $3 ids that are under way int8[]; $4 how many at most int8
(SELECT n.id, n.recipient_kind, n.recipient_id, n.address, n.type, n.priority, n.title, n.body, n.placeholders,
        n.metadata, n.entity, n.entity_id, n.facility_id, n.locale, n.attempts, n.created_at, n.put_back_at,
        n.expires_at
 FROM notifications n
 WHERE n.status = 'PENDING' AND n.channel = $1 AND n.priority = 'HIGH'
   AND COALESCE(n.next_attempt_at, n.created_at) <= $2 AND n.id <> ALL ($3)
 ORDER BY COALESCE(n.next_attempt_at, n.created_at), n.id LIMIT $4)
UNION ALL
(SELECT n.id, n.recipient_kind, n.recipient_id, n.address, n.type, n.priority, n.title, n.body, n.placeholders,
        n.metadata, n.entity, n.entity_id, n.facility_id, n.locale, n.attempts, n.created_at, n.put_back_at,
        n.expires_at
 FROM notifications n
 WHERE n.status = 'PENDING' AND n.channel = $1 AND n.priority = 'NORMAL'
   AND COALESCE(n.next_attempt_at, n.created_at) <= $2 AND n.id <> ALL ($3)
 ORDER BY COALESCE(n.next_attempt_at, n.created_at), n.id LIMIT $4)
LIMIT $4
