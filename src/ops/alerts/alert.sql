-- Locks an alert that a person wants to change, against the job and other people, and returns its state.
-- $1 id of the alert bigint
SELECT x.status, x.appointment_id, x.acknowledged_by, x.acknowledged_at, x.resolved_by, x.resolved_at
FROM stage_alerts x
WHERE x.id = $1
FOR NO KEY UPDATE
