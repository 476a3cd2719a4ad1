-- Returns a visit, what the rule looks at, and whether it is due by the rule.
-- $1 to $6 are the parameters of the joins and of awaited.part.sql · $7 id of the visit, a key
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.status::text AS status, a.source::text AS source,
       a.doctor_id::text AS doctor_id, seen.known IS NOT NULL AS known, seen.zone IS NOT NULL AS zoned, seen.starts_at,
       seen.class, seen.changed_at, {made_at} AS made_at, NOT (a.doctor_id <> ALL ($4)) AS is_unjudged,
       EXISTS (SELECT FROM appointments a
               {awaited} AND a.id = $7 AND standing.class = 'DUE') AS due
FROM appointments a
-- Without its facility or its doctor it is judged by nobody.
LEFT JOIN LATERAL (
    SELECT true AS known, tz.zone, visit.starts_at, standing.class, version.changed_at
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time, a.created_at) a
    {joins}
) seen ON true
WHERE a.id = $7
