-- Writes what was found of UNCERTAIN messages. One that was found was sent: it is asked about from then on.
-- $1 ids int8[]; $2 the provider's ids text[], NULL: not found; $3 the provider's words text[]; $4 the instant
-- timestamptz
UPDATE notifications n
SET status = CASE WHEN f.provider_id IS NULL THEN n.status ELSE 'SENT' END,
    reason = CASE WHEN f.provider_id IS NULL THEN n.reason END,
    sent_at = CASE WHEN f.provider_id IS NOT NULL THEN n.sending_at END,
    provider_id = f.provider_id, provider_status = COALESCE(f.provider_status, n.provider_status),
    provider_asked_at = CASE WHEN f.provider_id IS NULL THEN $4 END
FROM unnest($1, $2, $3) AS f (id, provider_id, provider_status)
WHERE n.id = f.id AND n.status = 'UNCERTAIN'
