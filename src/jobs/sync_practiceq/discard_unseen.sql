-- Discards queued appointments in a period that were queued before the account was read, and were not read again.
-- $1 from timestamptz · $2 until timestamptz · $3 external ids that were read text[]
-- $4 when the reading began timestamptz
DELETE FROM practiceq_unmatched u
WHERE u.status = 'open' AND u.starts_at >= $1 AND u.starts_at < $2
  AND ((u.content ->> 'read_at')::timestamptz < $4 OR NOT {has_passed})
  AND NOT EXISTS (SELECT FROM unnest($3) AS seen (external_id) WHERE seen.external_id = u.external_id)
