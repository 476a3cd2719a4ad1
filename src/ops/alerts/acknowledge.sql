-- Acknowledges an alert that is ACTIVE. Changes no row if it is not.
-- $1 id of the alert bigint · $2 actor text, the id of a user · $3 now timestamptz
UPDATE stage_alerts SET status = 'ACKNOWLEDGED', acknowledged_by = $2, acknowledged_at = $3
WHERE id = $1 AND status = 'ACTIVE'
