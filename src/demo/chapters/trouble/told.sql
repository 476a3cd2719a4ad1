-- How many visits of the facility are marked, and whether any was marked or told twice.
SELECT string_agg(a.id::text, ', ' ORDER BY a.id) FILTER (WHERE a.status = 'NO_SHOW') AS "marked",
       COALESCE(string_agg(a.id::text, ', ' ORDER BY a.id)
                FILTER (WHERE marks.times > 1 OR marks.messages > 2 OR (a.status = 'NO_SHOW' AND marks.times = 0)),
                'none') AS "marked twice, told twice, or without a record"
FROM appointments a
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM no_show_logs l WHERE l.appointment_id = a.id::text AND l.undone_at IS NULL) AS times,
           (SELECT count(*) FROM notifications n
            WHERE n.entity = 'appointment' AND n.entity_id = a.id::text AND n.status <> 'EXPIRED') AS messages
) marks
WHERE a.facility_id = 3
