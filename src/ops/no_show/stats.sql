-- Returns counts of visits and of no-shows: in all, and by facility, doctor and day of the week.
-- $1 facility or NULL, a key · $2 doctor or NULL, a key · $3 first day of the visit date or NULL
-- $4 last day of the visit date or NULL
WITH
-- The visits of which a mark was undone.
undone AS MATERIALIZED (
    SELECT DISTINCT l.appointment_id FROM no_show_logs l WHERE l.undone_at IS NOT NULL
),
-- The LOCAL visits that were not cancelled, and for which it is known whether the patient came; and those that a person
-- took back from the no-shows.
visits AS (
    SELECT a.facility_id, a.doctor_id, EXTRACT(isodow FROM {day})::int AS weekday, a.status = 'NO_SHOW' AS missed,
           a.status IN ('CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW') AS is_known,
           a.status <> 'NO_SHOW' AND u.appointment_id IS NOT NULL AS undone, log.reason, log.slot_released
    FROM appointments a
    LEFT JOIN undone u ON u.appointment_id = a.id::text
    -- The last log row. A visit that was booked again and missed again counts once, as it is now.
    LEFT JOIN LATERAL (
        SELECT l.reason, l.slot_released FROM no_show_logs l
        WHERE l.appointment_id = a.id::text ORDER BY l.id DESC LIMIT 1
    ) log ON a.status = 'NO_SHOW'
    WHERE a.source = 'LOCAL'
      AND (a.status IN ('CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'NO_SHOW') OR u.appointment_id IS NOT NULL)
      AND (a.facility_id = $1 OR $1 IS NULL) AND (a.doctor_id = $2 OR $2 IS NULL)
      AND ($3 IS NULL OR a.appointment_date >= $3) AND ($4 IS NULL OR a.appointment_date < $4 + 1)
)
SELECT GROUPING(v.facility_id, v.doctor_id, v.weekday) AS grouping, v.facility_id::text AS facility_id,
       v.doctor_id::text AS doctor_id, v.weekday, count(*) FILTER (WHERE v.is_known) AS visits,
       count(*) FILTER (WHERE v.missed) AS no_shows,
       count(*) FILTER (WHERE v.reason = 'AUTO_TIMEOUT') AS automatic,
       count(*) FILTER (WHERE v.reason <> 'AUTO_TIMEOUT') AS manual,
       count(*) FILTER (WHERE v.slot_released) AS slots_released, count(*) FILTER (WHERE v.undone) AS undone
FROM visits v
GROUP BY GROUPING SETS ((), (v.facility_id), (v.doctor_id), (v.weekday))
ORDER BY GROUPING(v.facility_id, v.doctor_id, v.weekday) DESC, v.facility_id, v.doctor_id, v.weekday
