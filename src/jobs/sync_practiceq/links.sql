-- The patients whom the links of clients, and persons' decisions about appointments, name. They may be gone.
-- $1 clients of the account text[] · $2 external ids text[]
SELECT c.patient_id FROM practiceq_clients c WHERE c.client_id = ANY ($1) AND c.patient_id IS NOT NULL
UNION
SELECT u.patient_id FROM practiceq_unmatched u WHERE u.external_id = ANY ($2) AND u.patient_id IS NOT NULL
