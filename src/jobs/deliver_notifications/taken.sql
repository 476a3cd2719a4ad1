-- Returns those of the provider's ids that messages have already.
-- $1 the provider's ids text[]
SELECT n.provider_id FROM notifications n WHERE n.provider_id = ANY ($1)
