-- Locks an alert that a person wants to change, against the job and other people, and returns its state.
-- $1 id of the alert bigint
SELECT x.status, a.facility_id, x.acknowledged_by, x.acknowledged_at, x.resolved_by, x.resolved_at
FROM stage_alerts x
JOIN appointments a ON a.id = x.appointment_id
WHERE x.id = $1
FOR NO KEY UPDATE OF x
