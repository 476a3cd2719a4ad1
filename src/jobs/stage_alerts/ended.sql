-- Returns those of the alerts whose cause has ended, and the visit of each, or NULL if it is deleted.
-- $1 ids of alerts, keys · $2 visits of the alerts, keys
-- $3 only visits of this facility, a key or NULL; then an alert whose visit is deleted is not known to be of it
SELECT x.id::text AS id, a.id::text AS visit
FROM stage_alerts x
{ended}
AND x.id = ANY ($1)
AND (a.facility_id = $3 OR $3 IS NULL)
ORDER BY x.id
