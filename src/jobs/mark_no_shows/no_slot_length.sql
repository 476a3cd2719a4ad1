-- Returns the doctors with visits in the window that have no timeout: neither the facility's minutes nor the doctor's
-- slot length is set. The caller provides the two expressions.
-- $1 first date date · $2 last date date · $3 only visits of this facility, a key or NULL
SELECT d.id::text
FROM doctors d
WHERE {slot_length} IS NULL
  AND EXISTS (SELECT FROM appointments a JOIN facilities f ON f.id = a.facility_id
              WHERE a.doctor_id = d.id AND a.status IN ('SCHEDULED', 'CONFIRMED') AND a.source = 'LOCAL'
                AND a.appointment_date >= $1 AND a.appointment_date < $2 + 1
                AND (a.facility_id = $3 OR $3 IS NULL)
                AND {no_show_after} IS NULL)
ORDER BY d.id
