-- Links appointments to a patient, and their client; but not the client of a group visit, which is about several
-- people, nor one who is known as a patient already. The names are removed: nobody needs them after the decision.
-- $1 ids bigint[] · $2 patient text · $3 who decides text, the id of a user · $4 now timestamptz
-- $5 the appointment that the user named bigint
-- $6 the patient to whom the client was linked, and who is gone, text or NULL
WITH
linked AS (
    UPDATE practiceq_unmatched
    SET status = 'linked', patient_id = $2, decided_by = $3, decided_at = $4,
        content = content - '{client_name, client_email, date_of_birth}'::text[]
    WHERE id = ANY ($1)
)
INSERT INTO practiceq_clients AS c (client_id, patient_id, linked_by, created_at, seen_at)
SELECT client_id, $2, $3, $4, $4 FROM practiceq_unmatched
WHERE id = $5 AND reason NOT IN ('GROUP', 'CONFLICT') AND client_id IS NOT NULL
ON CONFLICT (client_id) DO UPDATE
SET patient_id = excluded.patient_id, linked_by = excluded.linked_by, created_at = excluded.created_at,
    seen_at = excluded.seen_at, waits = false
WHERE c.patient_id = $6 OR c.waits
