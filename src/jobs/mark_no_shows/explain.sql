-- Returns a visit, what the rule looks at, and whether it is due by the rule.
-- $1 to $5 are the parameters of clinic/visit.part.sql and awaited.part.sql · $6 id of the visit, a key
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.status::text AS status, a.source::text AS source,
       seen.known IS NOT NULL AS known, seen.zone IS NOT NULL AS zoned, seen.starts_at, seen.timeout_minutes,
       seen.too_old, seen.day_is_over, seen.excuse,
       seen.starts_at + make_interval(mins => seen.timeout_minutes) AS timeout_at,
       EXISTS (SELECT FROM appointments a
               {due} AND a.id = $6) AS due
FROM appointments a
-- Without its facility or its doctor it is judged by nobody.
LEFT JOIN LATERAL (
    SELECT true AS known, tz.zone, visit.starts_at, wait.timeout_minutes, visit.day < visit.today - $4 AS too_old,
           visit.day < visit.today AS day_is_over, excuse.reason AS excuse
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time) a
    {visit}
) seen ON true
WHERE a.id = $6
