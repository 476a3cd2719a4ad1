-- Locks a visit that a person wants to mark, against the job and the application, and returns its state.
-- $1 id of the visit, a key
SELECT a.id::text AS id, a.status::text AS status, a.source::text AS source, a.facility_id::text AS facility_id,
       d.id IS NOT NULL AS has_doctor, d.user_id::text AS doctor_user_id
FROM appointments a
LEFT JOIN doctors d ON d.id = a.doctor_id
WHERE a.id = $1
FOR NO KEY UPDATE OF a
