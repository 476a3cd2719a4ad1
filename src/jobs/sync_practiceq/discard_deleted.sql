-- Discards queued appointments that the account does not have any more: nothing is left to decide.
-- $1 external ids text[]
DELETE FROM practiceq_unmatched WHERE external_id = ANY ($1) AND status = 'open'
