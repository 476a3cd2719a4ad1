-- Returns those of the addresses that may not be written to, with the reason.
-- $1 channel text; $2 addresses text[]
SELECT s.address, s.reason FROM contact_suppressions s
WHERE s.channel = $1 AND s.address = ANY ($2) AND s.lifted_at IS NULL
