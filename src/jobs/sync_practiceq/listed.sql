-- Of appointments that the account lists as deleted, those that are in a chart or wait for a person; and when the
-- account was asked for one last and had it all the same.
-- $1 external ids text[]
SELECT x.external_id, v.external_id IS NOT NULL AS is_visit, c.found_at
FROM (SELECT DISTINCT listed.external_id FROM unnest($1) AS listed (external_id)) x
LEFT JOIN practiceq_visits v ON v.external_id = x.external_id AND v.deleted_at IS NULL
LEFT JOIN practiceq_unmatched u ON u.external_id = x.external_id AND u.status = 'open'
LEFT JOIN practiceq_contradictions c ON c.external_id = x.external_id
WHERE v.external_id IS NOT NULL OR u.external_id IS NOT NULL
ORDER BY x.external_id
