-- Returns how many NORMAL messages of a channel patients were sent of late.
-- $1 channel text; $2 their keys text[]; $3 since when timestamptz
SELECT n.recipient_id AS id, count(*) AS messages
FROM notifications n
WHERE n.recipient_kind = 'PATIENT' AND n.channel <> 'IN_APP' AND n.status = 'SENT' AND n.channel = $1
  AND n.recipient_id = ANY ($2) AND n.sent_at > $3 AND n.priority = 'NORMAL'
GROUP BY n.recipient_id
