-- Returns of a visit and each type of alert: whether it is due by the rule, and from when minutes count, which is only
-- known where the patient waits and had no such alert.
-- $1 to $8 are the parameters of waiting.part.sql · $9 id of the visit, a key
-- The caller provides the expressions of the day, the start and the minutes, and the rule.
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.status::text AS status,
       a.vitals_recorded_at IS NOT NULL AS has_vitals, known.zone IS NOT NULL AS zoned, known.starts_at,
       known.day < known.today - $8 AS too_old, known.day IS NULL AS dayless, types.type,
       COALESCE(known.waiting_minutes, $6) IS NULL AS never, waits.type IS NOT NULL AS waits, waits.since,
       waits.after_minutes, waits.since + make_interval(mins => waits.after_minutes) AS due_at,
       COALESCE(waits.due, false) AS due
FROM appointments a
CROSS JOIN unnest(ARRAY['NO_VITALS', 'NO_DOCTOR', 'WAITING_TOO_LONG']) WITH ORDINALITY AS types (type, position)
LEFT JOIN LATERAL (
    SELECT tz.zone, own.day, own.start AT TIME ZONE tz.zone AS starts_at, ($1 AT TIME ZONE tz.zone)::date AS today,
           {waiting_minutes} AS waiting_minutes
    FROM facilities f
    -- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
    CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone::text END AS zone) tz
    CROSS JOIN LATERAL (SELECT {day} AS day, {visit_start} AS start) own
    WHERE f.id = a.facility_id
) known ON true
LEFT JOIN LATERAL (
    SELECT alert.type, alert.since, alert.after_minutes, (true
           {due}) AS due
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.status, a.appointment_date, a.start_time, a.checked_in_at,
                 a.vitals_recorded_at) a
    {waiting}
    AND alert.type = types.type
) waits ON true
WHERE a.id = $9
ORDER BY types.position
