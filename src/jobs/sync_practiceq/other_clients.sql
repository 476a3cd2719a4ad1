-- The clients of patients that a search for the clinic's e-mail address may miss: of each nothing is known that is under
-- that address. Of a client that the job found itself, only while there is a visit by which to ask.
-- $1 patients, keys · The caller provides the marks of the address, and whether it is one.
SELECT p.id::text AS patient_id, c.client_id
FROM patients p
JOIN practiceq_clients c ON c.patient_id = p.id::text
CROSS JOIN LATERAL (
    SELECT count(*) AS visits, count(*) FILTER (WHERE v.client_marks[3] = ({address_marks})[3]) AS at_address
    FROM practiceq_visits v
    WHERE v.patient_id = c.patient_id AND v.client_id = c.client_id AND v.deleted_at IS NULL
) known
WHERE p.id = ANY ($1)
  AND ((NOT {has_email}) OR (known.at_address = 0 AND (c.linked_by IS NOT NULL OR known.visits > 0)))
ORDER BY p.id, c.client_id
