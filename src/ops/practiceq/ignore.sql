-- Ignores appointments as no patient's of the clinic; and, where it is asked for, their client. What was read of them
-- is removed: nobody needs it after the decision.
-- $1 ids bigint[] · $2 who decides text, the id of a user · $3 now timestamptz
-- $4 whether to ignore the client boolean · $5 the appointment that the user named bigint
-- $6 the patient to whom the client was linked, and who is gone, text or NULL
WITH
ignored AS (
    UPDATE practiceq_unmatched
    SET status = 'ignored', decided_by = $2, decided_at = $3, content = '{}'
    WHERE id = ANY ($1)
)
INSERT INTO practiceq_clients AS c (client_id, linked_by, created_at, seen_at)
SELECT client_id, $2, $3, $3 FROM practiceq_unmatched WHERE $4 AND id = $5 AND client_id IS NOT NULL
ON CONFLICT (client_id) DO UPDATE
SET patient_id = NULL, linked_by = excluded.linked_by, created_at = excluded.created_at,
    seen_at = excluded.seen_at, waits = false
WHERE c.patient_id = $6 OR c.waits
