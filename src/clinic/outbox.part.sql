-- From `staged` into the outbox: in-app notices are done when they are here, the rest wait to be delivered, and what
-- somebody does not want to get is kept as evidence that it was not sent.
notified AS (
    INSERT INTO notifications (recipient_kind, recipient_id, address, channel, type, priority, title, body, metadata,
                               entity, entity_id, dedupe_key, status, sent_at, expires_at, created_at, run_id)
    SELECT recipient_kind, recipient_id, address, channel, type, priority, title, body, metadata, entity, entity_id,
           concat_ws(':', episode, recipient_kind, recipient_id, channel),
           CASE WHEN suppressed THEN 'SUPPRESSED' WHEN channel = 'IN_APP' THEN 'SENT' ELSE 'PENDING' END,
           CASE WHEN channel = 'IN_APP' AND NOT suppressed THEN staged_at END, expires_at, staged_at, run_id
    FROM staged
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING status
)
