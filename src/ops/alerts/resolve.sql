-- Resolves an open alert. Changes no row if it is not open.
-- $1 id of the alert bigint · $2 actor text, the id of a user · $3 now timestamptz · $4 notes text or NULL
UPDATE stage_alerts SET status = 'RESOLVED', resolved_by = $2, resolved_at = $3, resolution_notes = $4
WHERE id = $1 AND status IN ('ACTIVE', 'ACKNOWLEDGED')
