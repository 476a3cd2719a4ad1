-- The visits with these external ids that are not marked as deleted.
-- $1 external ids text[]
SELECT id FROM appointments WHERE external_id = ANY ($1) AND source = 'PRACTICEQ' AND deleted_at IS NULL ORDER BY id
