-- The CTE `notified` (status), which inserts the staged notifications into the outbox. In-app notices are SENT at once,
-- other channels are PENDING until they are delivered, and notices that the recipient does not want are SUPPRESSED:
-- they are kept as evidence that they were not sent. A title is one line; title and body have no other
-- control characters, and both are cut at a limit. A notice whose key exists already is not inserted again.
-- The caller provides the CTE staged (recipient_kind, recipient_id, address, channel, type, priority, title, body,
-- metadata, entity, entity_id, episode, suppressed, expires_at, staged_at, run_id) and the comma before this part. The
-- caller continues with a comma and another CTE, or with the final SELECT. recipient_id and entity_id are text.
notified AS (
    INSERT INTO notifications (recipient_kind, recipient_id, address, channel, type, priority, title, body, metadata,
                               entity, entity_id, dedupe_key, status, sent_at, expires_at, created_at, run_id)
    SELECT recipient_kind, recipient_id, address, channel, type, priority,
           {title},
           {body}, metadata, entity, entity_id, concat_ws(':', episode, recipient_kind, recipient_id, channel),
           CASE WHEN suppressed THEN 'SUPPRESSED' WHEN channel = 'IN_APP' THEN 'SENT' ELSE 'PENDING' END,
           CASE WHEN channel = 'IN_APP' AND NOT suppressed THEN staged_at END, expires_at, staged_at, run_id
    FROM staged
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING status
)
