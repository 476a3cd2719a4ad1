-- Notes that the answer for an appointment is stored: for these events of it, and for those that came before it was asked
-- for.
-- $1 external id text · $2 events bigint[] · $3 when the account was asked timestamptz · $4 run id uuid
UPDATE practiceq_inbox SET asked_at = $3, done_at = clock_timestamp(), run_id = $4
WHERE external_id = $1 AND done_at IS NULL AND (id = ANY ($2) OR received_at <= $3)
