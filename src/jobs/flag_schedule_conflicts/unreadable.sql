-- Returns the rows of hours that hold and cannot be read, and their doctors: a day or a time is none, one end of a break
-- is missing, or an end is not after its beginning. Whoever has such a row is not judged.
-- The caller provides the expressions of the times.
-- $1 the facility whose doctors are reported, a key or NULL: all
SELECT w.id::text AS id, w.doctor_id::text AS doctor_id,
       COALESCE(d.facility_id = $1 OR $1 IS NULL, false) AS is_reported
FROM doctor_schedules w
LEFT JOIN doctors d ON d.id = w.doctor_id
CROSS JOIN LATERAL (SELECT {from} AS starts, {to} AS ends, {break_from} AS break_starts, {break_to} AS break_ends) own
WHERE w.active
  AND (w.weekday BETWEEN 1 AND 7 AND own.starts < own.ends
       AND (w.break_start IS NULL AND w.break_end IS NULL OR own.break_starts < own.break_ends)) IS NOT TRUE
ORDER BY w.id
