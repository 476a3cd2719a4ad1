-- The CTE `notified` (status), which inserts the staged notifications into the outbox. In-app notices are SENT at once,
-- other channels are PENDING until they are delivered, and notices that the recipient does not want are SUPPRESSED:
-- they are kept as evidence that they were not sent. A recipient who has opted out of a channel gets nothing on it, nor
-- does an address to which nothing may be sent; whether a number of a recipient still takes messages is known when they
-- are sent. A title is one line; title and body have no other
-- control characters, and both are cut at a limit. A notice whose key exists already is not inserted again.
-- The caller provides the CTE staged (recipient_kind, recipient_id, address, channel, type, priority, title, body,
-- metadata, placeholders, entity, entity_id, facility_id, episode, suppressed, expires_at, staged_at, run_id) and the
-- comma before this part. The caller continues with a comma and another CTE, or with the final SELECT. recipient_id,
-- entity_id and facility_id are text.
notified AS (
    INSERT INTO notifications (recipient_kind, recipient_id, address, channel, type, priority, title, body, metadata,
                               placeholders, entity, entity_id, facility_id, dedupe_key, status, reason, sent_at,
                               expires_at, created_at, run_id)
    SELECT recipient_kind, recipient_id, address, channel, type, priority,
           {title},
           {body}, metadata, placeholders, entity, entity_id, facility_id,
           concat_ws(':', episode, recipient_kind, recipient_id, channel),
           CASE WHEN no_word.reason IS NOT NULL THEN 'SUPPRESSED' WHEN channel = 'IN_APP' THEN 'SENT'
                ELSE 'PENDING' END,
           no_word.reason, CASE WHEN channel = 'IN_APP' AND no_word.reason IS NULL THEN staged_at END, expires_at,
           staged_at, run_id
    FROM staged
    -- LIMIT makes it a look into an index for each, and only for messages that leave.
    LEFT JOIN LATERAL (
        SELECT s.reason FROM contact_suppressions s
        WHERE staged.channel IN ('SMS', 'EMAIL') AND s.recipient_kind = staged.recipient_kind
          AND s.recipient_id = staged.recipient_id AND s.channel = staged.channel AND s.lifted_at IS NULL
          AND s.reason = 'OPTED_OUT'
        LIMIT 1
    ) recipient ON true
    LEFT JOIN LATERAL (
        SELECT s.reason FROM contact_suppressions s
        WHERE staged.address IS NOT NULL AND staged.channel IN ('SMS', 'EMAIL') AND s.channel = staged.channel
          AND s.address = lower(staged.address) AND s.lifted_at IS NULL
        LIMIT 1
    ) contact ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN suppressed THEN 'OPTED_OUT' ELSE COALESCE(recipient.reason, contact.reason) END AS reason
    ) no_word
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING status
)
