-- Notes of an appointment that the account lists as deleted that it has it all the same; forgets what is long past.
-- $1 external id text · $2 when the account was asked for it timestamptz
WITH
forgotten AS (
    DELETE FROM practiceq_contradictions WHERE found_at < $2 - interval '30 days' AND external_id <> $1
)
INSERT INTO practiceq_contradictions AS c (external_id, found_at) VALUES ($1, $2)
ON CONFLICT (external_id) DO UPDATE SET found_at = excluded.found_at
WHERE c.found_at < excluded.found_at OR NOT {has_passed}
