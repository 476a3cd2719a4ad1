-- A FROM clause for active absences `x` that are not over, with the doctor d, the facility f of the doctor, tz (zone)
-- and `leave`. A leave is at the clock of the doctor's facility.
-- The caller provides the relation of the absences, the join of leave.part.sql, and further joins. It ends inside the
-- WHERE: continue with AND.
-- $2 facilities whose time zone cannot be read, keys · $3 first date in any time zone date · $4 absences that are left
-- alone, keys · $5 only this absence, a key or NULL · $6 only of this facility, a key or NULL
FROM {absences} x
JOIN doctors d ON d.id = x.doctor_id
JOIN facilities f ON f.id = d.facility_id
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone::text END AS zone) tz
{leave}
{joins}
WHERE x.status = 'ACTIVE' AND (x.last_day >= $3 OR x.last_day IS NULL)
  AND x.id <> ALL ($4) AND (x.id = $5 OR $5 IS NULL) AND (f.id = $6 OR $6 IS NULL)
