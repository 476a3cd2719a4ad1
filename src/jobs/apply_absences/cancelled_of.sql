-- Returns the visits that were cancelled for an emergency of the doctors of these absences, and are not over.
-- $1 now timestamptz · $2 ids of absences text[]
SELECT v.appointment_id AS id
FROM absence_visits v
WHERE v.outcome = 'CANCELLED' AND v.outside_at IS NULL AND v.ends_at > $1
  AND v.doctor_id IN (SELECT e.doctor_id FROM absence_effects e WHERE e.absence_id = ANY ($2)
                      UNION SELECT c.doctor_id FROM absence_visits c WHERE c.absence_id = ANY ($2))
