-- Visits in a period that were stored before the account was read, and were not among the appointments that were read.
-- $1 from timestamptz · $2 until timestamptz · $3 external ids that were read text[]
-- $4 when the reading began timestamptz · $5 only this patient text; NULL: all
SELECT v.external_id, v.missed_sweep FROM practiceq_visits v
WHERE v.deleted_at IS NULL AND v.starts_at >= $1 AND v.starts_at < $2 AND (v.read_at < $4 OR NOT {has_passed})
  AND ($5::text IS NULL OR v.patient_id = $5)
  AND NOT EXISTS (SELECT FROM unnest($3) AS seen (external_id) WHERE seen.external_id = v.external_id)
ORDER BY v.starts_at, v.external_id
