-- Visits in a period that were stored before the account was read, and were not among the appointments that were read.
-- $1 from timestamptz · $2 until timestamptz · $3 external ids that were read text[]
-- $4 when the reading began timestamptz · $5 only this patient bigint; NULL: all
SELECT a.id, a.external_id, a.missed_sweep FROM appointments a
WHERE a.source = 'PRACTICEQ' AND a.deleted_at IS NULL AND a.starts_at >= $1 AND a.starts_at < $2
  AND a.source_read_at < $4 AND ($5::bigint IS NULL OR a.patient_id = $5)
  AND NOT EXISTS (SELECT FROM unnest($3) AS seen (external_id) WHERE seen.external_id = a.external_id)
ORDER BY a.starts_at, a.id
