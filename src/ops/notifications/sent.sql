-- Settles an uncertain message as sent when it was sent last. Changes no row if it is not uncertain.
-- $1 id bigint · $2 actor text, the id of a user · $3 now timestamptz
UPDATE notifications SET status = 'SENT', sent_at = COALESCE(sending_at, $3), settled_by = $2
WHERE id = $1 AND status = 'UNCERTAIN'
