-- Returns a visit, what the rule looks at, and whether it is due by the rule.
-- $1 to $5 are the parameters of the rule · $6 id of the visit, a key
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.status::text AS status, a.source::text AS source,
       known.known IS NOT NULL AS known, known.zone IS NOT NULL AS zoned, known.starts_at, known.too_old,
       known.cancelled_at, known.is_last_minute, known.untold, known.outcome,
       EXISTS (SELECT FROM doctor_slots s WHERE s.appointment_id = a.id) AS has_slot,
       EXISTS (SELECT FROM appointments a
               {cancelled}
               {due} AND tz.zone IS NOT NULL AND a.id = $6) AS due
FROM appointments a
-- Without its facility or its doctor it is judged by nobody.
LEFT JOIN LATERAL (
    SELECT true AS known, tz.zone, visit.starts_at, visit.day < visit.today - $3 AS too_old, judged.cancelled_at,
           judged.is_last_minute, judged.untold, seen.outcome
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time, a.cancelled_at, a.cancelled_by) a
    {judged}
) known ON true
WHERE a.id = $6
