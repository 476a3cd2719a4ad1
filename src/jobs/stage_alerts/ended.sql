-- Returns those of the alerts whose cause has ended.
-- $1 ids of alerts, keys · $2 visits of the alerts, keys
SELECT x.id::text AS id, x.appointment_id
FROM stage_alerts x
{ended}
AND x.id = ANY ($1)
ORDER BY x.id
