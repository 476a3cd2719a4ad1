-- The visits of tomorrow and their slots, and who was told.
SELECT a.id::text AS "visit", a.doctor_id::text AS "doctor", a.status,
       (SELECT CASE WHEN s.appointment_id = a.id THEN 'its slot' WHEN s.is_blocked THEN 'blocked' ELSE 'free' END
        FROM doctor_slots s WHERE (s.doctor_id, s.slot_date, s.start_time)
                                  = (a.doctor_id, a.appointment_date, a.start_time)) AS "slot",
       COALESCE((SELECT string_agg(DISTINCT lower(n.recipient_kind) || ' ' || n.recipient_id, ', ')
                 FROM notifications n WHERE n.entity = 'appointment' AND n.entity_id = a.id::text), 'nobody') AS "told",
       (CASE a.id WHEN 7001 THEN 'emergency: cancelled' WHEN 7002 THEN 'holiday: stays, people decide'
                  WHEN 7003 THEN 'hours begin at 13:00 now' ELSE 'the patient called' END) AS "because"
FROM appointments a WHERE a.id BETWEEN 7001 AND 7004 ORDER BY a.id
