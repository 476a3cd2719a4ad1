-- Writes what became of messages that runs which are gone have left under way. Of one that was held nothing has left: it
-- was no attempt.
-- $1 ids int8[]; $2 their new statuses text[]; $3 reasons text[]; $4 the provider's ids text[]; $5 the provider's words
-- text[]; $6 the run uuid; $7 the instant timestamptz
UPDATE notifications n
SET status = s.status, reason = s.reason, provider_id = s.provider_id, provider_status = s.provider_status,
    sent_at = CASE WHEN s.status = 'SENT' THEN $7 END,
    attempts = CASE WHEN n.is_held THEN n.attempts - 1 ELSE n.attempts END
FROM unnest($1, $2, $3, $4, $5) AS s (id, status, reason, provider_id, provider_status)
WHERE n.id = s.id AND n.status = 'SENDING' AND n.sending_run IS DISTINCT FROM $6
