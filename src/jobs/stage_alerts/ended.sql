-- Returns those of the alerts whose cause has ended, and the visit of each, or NULL if it is deleted.
-- $1 ids of alerts, keys · $2 visits of the alerts, keys
SELECT x.id::text AS id, a.id::text AS visit
FROM stage_alerts x
{ended}
AND x.id = ANY ($1)
ORDER BY x.id
