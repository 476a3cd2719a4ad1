-- Returns the LOCAL visits of some days for which it is known whether the patient came, and the no-shows among them: in
-- all, by day of the week, by hour of the booked start, by doctor.
-- $1 first day date · $2 last day date
WITH visits AS (
    SELECT a.doctor_id, EXTRACT(isodow FROM {day})::int AS weekday, EXTRACT(hour FROM {start})::int AS hour,
           a.status = 'NO_SHOW' AS missed
    FROM appointments a
    WHERE a.source = 'LOCAL' AND a.status IN ('CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW')
      AND a.appointment_date >= $1 AND a.appointment_date < $2 + 1
)
-- A bit is set for each of weekday, hour and doctor that the group does not have in common.
SELECT GROUPING(v.weekday, v.hour, v.doctor_id) AS grouping, v.weekday, v.hour, v.doctor_id::text AS doctor_id,
       count(*) AS visits, count(*) FILTER (WHERE v.missed) AS no_shows
FROM visits v
GROUP BY GROUPING SETS ((), (v.weekday), (v.hour), (v.doctor_id))
ORDER BY 1 DESC, v.weekday, v.hour, count(*) DESC, v.doctor_id
