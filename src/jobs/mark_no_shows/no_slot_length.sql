-- Returns the doctors with visits in the window that have no timeout: neither the facility's minutes nor the doctor's
-- slot length is set.
-- $1 first date date · $2 last date date
SELECT d.id
FROM doctors d
WHERE d.slot_duration_minutes IS NULL
  AND EXISTS (SELECT FROM appointments a JOIN facilities f ON f.id = a.facility_id
              WHERE a.doctor_id = d.id AND a.status IN ('SCHEDULED', 'CONFIRMED') AND a.source = 'LOCAL'
                AND a.appointment_date BETWEEN $1 AND $2 AND f.no_show_after_minutes IS NULL)
ORDER BY d.id
