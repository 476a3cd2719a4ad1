-- Writes what became of messages that runs which are gone have left under way.
-- $1 ids int8[]; $2 their new statuses text[]; $3 reasons text[]; $4 the provider's ids text[]; $5 the run uuid; $6 the
-- instant timestamptz
UPDATE notifications n
SET status = s.status, reason = s.reason, provider_id = s.provider_id,
    sent_at = CASE WHEN s.status = 'SENT' THEN $6 END
FROM unnest($1, $2, $3, $4) AS s (id, status, reason, provider_id)
WHERE n.id = s.id AND n.status = 'SENDING' AND n.sending_run IS DISTINCT FROM $5
