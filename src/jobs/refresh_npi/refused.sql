-- The rows of a staged file that make what the database refuses of these NPIs, as the merge takes them: their other
-- names, or else the last line of each. {stage} is the staging table.
-- $1 the NPIs bigint[]
SELECT DISTINCT ON (s.npi, LEAST(s.line, 0)) s.ctid::text AS place, s.npi, s.line, s.entity_type, s.raw
FROM {stage} s
WHERE s.npi = ANY ($1) AND s.reject IS NULL
  AND (s.line < 0 OR NOT EXISTS (SELECT FROM {stage} n WHERE n.npi = s.npi AND n.line < 0 AND n.reject IS NULL))
ORDER BY s.npi, LEAST(s.line, 0), s.line DESC
