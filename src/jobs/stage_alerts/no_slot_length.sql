-- Returns the doctors with checked-in visits that have no slot end: the visit has no slot, and the doctor no slot
-- length.
-- $1 first date in any time zone date, or NULL for all
SELECT DISTINCT d.id
FROM appointments a
JOIN doctors d ON d.id = a.doctor_id
WHERE a.status = 'CHECKED_IN'
  AND ($1 IS NULL OR a.appointment_date >= $1)
  AND d.slot_duration_minutes IS NULL
  AND NOT EXISTS (SELECT FROM doctor_slots s WHERE s.appointment_id = a.id)
ORDER BY d.id
