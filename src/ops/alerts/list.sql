-- Returns alerts, the newest first, with ids and codes only.
-- $1 facility bigint or NULL · $2 alert_type text or NULL · $3 status text or NULL · $4 limit bigint
SELECT x.id, x.alert_type, x.status, x.triggered_at, a.facility_id, a.id AS appointment_id, a.doctor_id, a.patient_id,
       x.acknowledged_by, x.acknowledged_at, x.resolved_by, x.resolved_at
FROM stage_alerts x
JOIN appointments a ON a.id = x.appointment_id
WHERE ($1 IS NULL OR a.facility_id = $1) AND ($2 IS NULL OR x.alert_type = $2) AND ($3 IS NULL OR x.status = $3)
ORDER BY x.id DESC
LIMIT $4
