-- Writes what became of the message of a test. Changes no row if somebody has settled it meanwhile.
-- $1 id bigint · $2 status text · $3 reason text or NULL · $4 the provider's id text or NULL · $5 its words text or NULL
UPDATE notifications SET status = $2, reason = $3, provider_id = $4, provider_status = $5,
                         sent_at = CASE WHEN $2 = 'SENT' THEN sending_at END
WHERE id = $1 AND status = 'UNCERTAIN'
