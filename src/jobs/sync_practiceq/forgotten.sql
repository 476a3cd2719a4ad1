-- What a person need not decide any more: it is gone.
-- $1 external ids text[]
DELETE FROM practiceq_unmatched WHERE external_id = ANY ($1) AND status = 'open'
