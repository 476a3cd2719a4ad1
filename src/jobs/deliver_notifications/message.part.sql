-- The columns of a message, a row n of notifications. A comma may follow.
n.id, n.recipient_kind, n.recipient_id, n.address, n.type, n.priority, n.title, n.body, n.placeholders, n.metadata,
n.entity, n.entity_id, n.facility_id, n.attempts, n.created_at, n.put_back_at, n.expires_at
