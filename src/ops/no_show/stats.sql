-- Returns counts of visits and of no-shows: in all, and by facility, doctor and day of the week.
-- $1 facility bigint or NULL · $2 doctor bigint or NULL · $3 first day of the visit date or NULL
-- $4 last day of the visit date or NULL
WITH
-- The LOCAL visits that were not cancelled, and for which it is known whether the patient came.
visits AS (
    SELECT a.facility_id, a.doctor_id, EXTRACT(isodow FROM a.appointment_date)::int AS weekday,
           a.status = 'NO_SHOW' AS missed, log.reason, log.slot_released
    FROM appointments a
    -- The last log row. A visit that was booked again and missed again counts once, as it is now.
    LEFT JOIN LATERAL (
        SELECT l.reason, l.slot_released FROM no_show_logs l WHERE l.appointment_id = a.id ORDER BY l.id DESC LIMIT 1
    ) log ON a.status = 'NO_SHOW'
    WHERE a.source = 'LOCAL' AND a.status IN ('CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW')
      AND ($1 IS NULL OR a.facility_id = $1) AND ($2 IS NULL OR a.doctor_id = $2)
      AND ($3 IS NULL OR a.appointment_date >= $3) AND ($4 IS NULL OR a.appointment_date <= $4)
)
SELECT facility_id, doctor_id, weekday, count(*) AS visits, count(*) FILTER (WHERE missed) AS no_shows,
       count(*) FILTER (WHERE reason = 'AUTO_TIMEOUT') AS automatic,
       count(*) FILTER (WHERE reason <> 'AUTO_TIMEOUT') AS manual,
       count(*) FILTER (WHERE slot_released) AS slots_released
FROM visits
GROUP BY GROUPING SETS ((), (facility_id), (doctor_id), (weekday))
ORDER BY GROUPING(facility_id, doctor_id, weekday) DESC, facility_id, doctor_id, weekday
