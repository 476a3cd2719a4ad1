-- Doctors with checked-in visits that cannot be judged by slot end: no linked slot, and no slot length.
-- $1 first date in any time zone, date, or NULL for all
SELECT DISTINCT d.id
FROM appointments a
JOIN doctors d ON d.id = a.doctor_id
WHERE a.status = 'CHECKED_IN'
  AND ($1 IS NULL OR a.appointment_date >= $1)
  AND d.slot_duration_minutes IS NULL
  AND NOT EXISTS (SELECT FROM doctor_slots s WHERE s.appointment_id = a.id)
ORDER BY d.id
