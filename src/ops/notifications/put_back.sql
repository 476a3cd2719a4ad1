-- Makes messages PENDING again, which are then due at once and as if they were new; returns their ids.
-- $1 ids bigint[] · $2 statuses that they may have text[] · $3 actor text, the id of a user · $4 now timestamptz
-- $5 whether the attempts begin anew boolean
UPDATE notifications SET status = 'PENDING', reason = 'PUT_BACK', sent_at = NULL, next_attempt_at = NULL,
                         provider_id = NULL, provider_status = NULL, provider_asked_at = NULL, delivered_at = NULL,
                         put_back_at = $4, settled_by = $3, attempts = CASE WHEN $5 THEN 0 ELSE attempts END
WHERE id = ANY ($1) AND status = ANY ($2)
RETURNING id
