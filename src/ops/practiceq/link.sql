-- Links appointments to a patient, and their client; but not the client of a group visit, which is about several
-- people. The names are removed: nobody needs them after the decision.
-- $1 ids bigint[] · $2 patient bigint · $3 who decides, a user's id bigint · $4 now timestamptz
-- $5 the appointment that the user named bigint
WITH
linked AS (
    UPDATE practiceq_unmatched
    SET status = 'linked', patient_id = $2, decided_by = $3, decided_at = $4,
        content = content - '{client_name, client_email, date_of_birth}'::text[]
    WHERE id = ANY ($1)
)
INSERT INTO practiceq_clients (client_id, patient_id, linked_by, created_at)
SELECT client_id, $2, $3, $4 FROM practiceq_unmatched WHERE id = $5 AND reason <> 'GROUP' AND client_id IS NOT NULL
ON CONFLICT (client_id) DO NOTHING
