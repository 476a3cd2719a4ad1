-- Returns messages, the newest first, with ids and codes only. Those that are open are few and have indexes of their
-- own; of the others only those that are young are looked at.
-- $1 statuses text[] · $2 channels text[] · $3 facility text or NULL · $4 the oldest of those that are not open
-- timestamptz · $5 limit bigint
WITH
pending AS (
    SELECT n.id FROM notifications n
    WHERE n.status = 'PENDING' AND 'PENDING' = ANY ($1) AND n.channel = ANY ($2)
      AND ($3 IS NULL OR n.facility_id = $3)
    ORDER BY n.id DESC LIMIT $5
),
open AS (
    SELECT n.id FROM notifications n
    WHERE n.status IN ('SENDING', 'UNCERTAIN') AND n.status = ANY ($1) AND n.channel = ANY ($2)
      AND ($3 IS NULL OR n.facility_id = $3)
    ORDER BY n.id DESC LIMIT $5
),
over AS (
    SELECT n.id FROM notifications n
    WHERE n.status IN ('FAILED', 'SENT', 'EXPIRED', 'SUPPRESSED') AND n.status = ANY ($1) AND n.channel = ANY ($2)
      AND ($3 IS NULL OR n.facility_id = $3) AND n.created_at >= $4
    ORDER BY n.id DESC LIMIT $5
)
SELECT n.id, n.type, n.channel, n.priority, n.status, n.reason, n.recipient_kind, n.recipient_id, n.facility_id,
       n.attempts, n.created_at, n.next_attempt_at, n.sending_at, n.sent_at
FROM notifications n
WHERE n.id IN (SELECT id FROM pending UNION ALL SELECT id FROM open UNION ALL SELECT id FROM over)
ORDER BY n.id DESC
LIMIT $5
