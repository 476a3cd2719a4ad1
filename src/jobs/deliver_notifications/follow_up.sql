-- Writes what the provider said of messages that it has accepted: DELIVERED, FAILED, or nothing final (SENT).
-- $1 ids int8[]; $2 the provider's words text[]; $3 what became of each text[]; $4 reasons text[]; $5 the instant
-- timestamptz
UPDATE notifications n
SET status = CASE WHEN f.fate = 'FAILED' THEN 'FAILED' ELSE n.status END, reason = f.reason,
    provider_status = COALESCE(f.provider_status, n.provider_status), provider_asked_at = $5,
    delivered_at = CASE WHEN f.fate = 'DELIVERED' THEN $5 END
FROM unnest($1, $2, $3, $4) AS f (id, provider_status, fate, reason)
WHERE n.id = f.id AND n.status = 'SENT' AND n.delivered_at IS NULL
