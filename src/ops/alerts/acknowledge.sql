-- Somebody has seen it.
-- $1 id of the alert bigint · $2 who, a user's id bigint · $3 when timestamptz
UPDATE stage_alerts SET status = 'ACKNOWLEDGED', acknowledged_by = $2, acknowledged_at = $3
WHERE id = $1 AND status = 'ACTIVE'
