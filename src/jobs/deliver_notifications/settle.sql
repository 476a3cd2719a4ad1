-- Writes what became of messages that this run has marked, or of those that it does not send.
-- $1 ids int8[]; $2 their new statuses text[]; $3 reasons text[]; $4 the provider's ids text[]; $5 the provider's words
-- text[]; $6 not before these instants timestamptz[]; $7 whether an attempt counts text[], 'y' or 'n'; $8 the run uuid;
-- $9 the instant timestamptz
UPDATE notifications n
SET status = s.status, reason = s.reason, next_attempt_at = s.next_attempt_at,
    provider_id = COALESCE(s.provider_id, n.provider_id),
    provider_status = COALESCE(s.provider_status, n.provider_status),
    is_untold = s.status = 'SENT'
        AND (n.entity IN ('px_case', 'ticket') OR n.type = 'MISSED_APPOINTMENT' OR n.type LIKE 'STAGE\_ALERT\_%'),
    sent_at = CASE WHEN s.status = 'SENT' THEN $9 END,
    attempts = CASE WHEN n.status = 'SENDING' AND s.counts = 'n' THEN n.attempts - 1 ELSE n.attempts END
FROM unnest($1, $2, $3, $4, $5, $6, $7) AS s (id, status, reason, provider_id, provider_status, next_attempt_at, counts)
WHERE n.id = s.id
  AND n.id = ANY (ARRAY(
      SELECT l.id FROM notifications l
      WHERE l.id = ANY ($1)
        -- Not with OR: each transaction plans this, and would try every index with both sides.
        AND CASE l.status WHEN 'PENDING' THEN true WHEN 'SENDING' THEN l.sending_run = $8 ELSE false END
      ORDER BY l.id
      FOR NO KEY UPDATE
  ))
