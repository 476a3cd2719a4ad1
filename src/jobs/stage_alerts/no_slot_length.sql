-- Returns the doctors with checked-in visits that have no slot end: the visit has no slot, and the doctor no slot
-- length. The caller provides the expressions of the slot and of the slot length.
-- $1 first date in any time zone date · $2 only visits of this facility, a key or NULL
SELECT d.id::text
FROM doctors d
WHERE {slot_length} IS NULL
  AND EXISTS (SELECT FROM appointments a
              WHERE a.doctor_id = d.id AND a.status = 'CHECKED_IN' AND a.appointment_date >= $1
                AND (a.facility_id = $2 OR $2 IS NULL)
                AND NOT EXISTS (SELECT FROM doctor_slots s
                                WHERE s.appointment_id = a.id AND ({slot_day} + {slot_end}) IS NOT NULL))
ORDER BY d.id
