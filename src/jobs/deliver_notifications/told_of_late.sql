-- Returns how many NORMAL messages of a channel patients were sent of late, without those that the run counts itself.
-- $1 channel text; $2 their keys text[]; $3 since when timestamptz; $4 ids of those int8[]
SELECT n.recipient_id AS id, count(*) AS messages
FROM notifications n
WHERE n.recipient_kind = 'PATIENT' AND n.channel <> 'IN_APP' AND n.status = 'SENT' AND n.channel = $1
  AND n.recipient_id = ANY ($2) AND n.sent_at > $3 AND n.priority = 'NORMAL' AND n.id <> ALL ($4)
GROUP BY n.recipient_id
