-- Returns a page of alerts, the newest first, with ids and codes only.
-- $1 the last id that is known bigint · $2 alert_type text or NULL · $3 statuses text[] · $4 limit bigint
SELECT x.id, x.alert_type, x.status, x.triggered_at, x.appointment_id, x.acknowledged_by, x.acknowledged_at,
       x.resolved_by, x.resolved_at
FROM stage_alerts x
WHERE x.id < $1 AND ($2 IS NULL OR x.alert_type = $2) AND x.status = ANY ($3)
ORDER BY x.id DESC
LIMIT $4
