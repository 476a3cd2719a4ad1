-- Returns those of the visits that fit a filter. The days are compared so that a date and an instant both fit.
-- $1 ids of visits, keys · $2 facility or NULL, a key · $3 doctor or NULL, a key · $4 first day of the visit date or NULL
-- $5 last day of the visit date or NULL
SELECT a.id::text AS id, a.facility_id::text AS facility_id, a.doctor_id::text AS doctor_id,
       a.patient_id::text AS patient_id
FROM appointments a
WHERE a.id = ANY ($1)
  AND (a.facility_id = $2 OR $2 IS NULL) AND (a.doctor_id = $3 OR $3 IS NULL)
  AND ($4 IS NULL OR a.appointment_date >= $4) AND ($5 IS NULL OR a.appointment_date < $5 + 1)
