-- The visits that a run of mark-no-shows marked, and the reasons, as texts.
-- $1 run id uuid
SELECT l.appointment_id AS "visit",
       split_part(f.name, ', ', 2) AS "facility",
       CASE WHEN a.appointment_date < w.triggered::date THEN to_char(w.start, 'Dy DD Mon HH24:MI')
            ELSE to_char(w.start, 'HH24:MI') END AS "start",
       format('%s min, %s', l.timeout_minutes,
              CASE WHEN f.no_show_after_minutes IS NULL THEN 'doctor''s slot' ELSE 'facility''s rule' END)
           AS "waits",
       to_char(w.start + make_interval(mins => l.timeout_minutes), 'HH24:MI') AS "due at",
       CASE WHEN l.slot_released THEN 'yes: runs until ' || to_char(w.slot_end, 'HH24:MI')
            ELSE 'no: over ' || CASE WHEN w.slot_end::date < w.triggered::date THEN 'long ago'
                                     WHEN w.slot_end = w.triggered THEN 'now'
                                     ELSE 'at ' || to_char(w.slot_end, 'HH24:MI') END END AS "slot free again?",
       COALESCE(told.how, 'nobody: too late') AS "patient told"
FROM no_show_logs l
JOIN appointments a ON a.id::text = l.appointment_id
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
LEFT JOIN doctor_slots s ON (s.doctor_id, s.slot_date, s.start_time) = (a.doctor_id, a.appointment_date, a.start_time)
CROSS JOIN LATERAL (
    SELECT a.appointment_date + a.start_time AS start, l.triggered_at AT TIME ZONE f.time_zone AS triggered,
           COALESCE(s.slot_date + s.end_time,
                    a.appointment_date + a.start_time + make_interval(mins => d.slot_duration_minutes)) AS slot_end
) w
LEFT JOIN LATERAL (
    SELECT string_agg(CASE WHEN n.channel = 'IN_APP' THEN 'app' WHEN n.status = 'SUPPRESSED' THEN 'no SMS (opted out)'
                           ELSE n.channel END, ', ' ORDER BY n.channel)
           || CASE WHEN count(*) = 1 THEN ' (no phone)' ELSE '' END AS how
    FROM notifications n WHERE n.entity = 'appointment' AND n.entity_id = a.id::text AND n.run_id = $1
) told ON true
WHERE l.run_id = $1
ORDER BY a.id
