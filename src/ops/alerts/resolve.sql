-- Somebody has dealt with it.
-- $1 id of the alert bigint · $2 who, a user's id bigint · $3 when timestamptz · $4 notes text or NULL
UPDATE stage_alerts SET status = 'RESOLVED', resolved_by = $2, resolved_at = $3, resolution_notes = $4
WHERE id = $1 AND status IN ('ACTIVE', 'ACKNOWLEDGED')
