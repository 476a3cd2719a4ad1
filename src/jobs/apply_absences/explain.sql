-- Returns a visit, what the rule looks at, and whether it is due by the rule.
-- $1 to $6 are the parameters of the rule, with no absence left out · $7 id of the visit, a key
-- $8 absences that wait for a person, keys
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.status::text AS status, a.source::text AS source,
       seen.known IS NOT NULL AS known, seen.zone IS NOT NULL AS zoned, seen.starts_at, seen.ends_at,
       leaves.emergency, leaves.waits, leaves.other,
       EXISTS (SELECT {visits} AND {cancels} AND {on_leave} AND a.id = $7 AND x.id <> ALL ($8)) AS due
FROM appointments a
-- Without its facility or its doctor it is judged by nobody.
LEFT JOIN LATERAL (
    SELECT true AS known, tz.zone, visit.starts_at, span.ends_at
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time) a
    {visit}
    {span}
) seen ON true
-- The absences of its doctor at that time, whatever its status and its source are.
CROSS JOIN LATERAL (
    SELECT COALESCE(bool_or(x.type::text = 'EMERGENCY'), false) AS emergency,
           COALESCE(bool_or(x.type::text = 'EMERGENCY' AND x.id = ANY ($8)), false) AS waits,
           COALESCE(bool_or(x.type::text <> 'EMERGENCY'), false) AS other
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.source) v
    CROSS JOIN LATERAL (SELECT seen.zone) tz
    CROSS JOIN LATERAL (SELECT x.id, x.type {absences} AND absence.begins_at < seen.ends_at
                        AND absence.ends_at > seen.starts_at) x
) leaves
WHERE a.id = $7
