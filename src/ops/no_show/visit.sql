-- Locks a visit that a person wants to mark, against the job and the application, and returns its state.
-- $1 id of the visit bigint
SELECT a.status, a.source, a.facility_id, d.user_id AS doctor_user_id
FROM appointments a
LEFT JOIN doctors d ON d.id = a.doctor_id
WHERE a.id = $1
FOR NO KEY UPDATE OF a
