-- Visits of a client of the account in the chart of a patient, by which it can be asked what it calls the client: the
-- latest first.
-- $1 client text · $2 patient text
SELECT external_id FROM practiceq_visits
WHERE client_id = $1 AND patient_id = $2 AND deleted_at IS NULL
ORDER BY starts_at DESC, external_id LIMIT 3
