-- The visits with these external ids that are not marked as deleted.
-- $1 external ids text[]
SELECT external_id FROM practiceq_visits WHERE external_id = ANY ($1) AND deleted_at IS NULL ORDER BY external_id
