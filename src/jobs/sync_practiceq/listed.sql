-- Visits that the account says are deleted, and here are not.
-- $1 external ids text[]
SELECT id FROM appointments WHERE external_id = ANY ($1) AND source = 'PRACTICEQ' AND deleted_at IS NULL ORDER BY id
