-- The WHERE clause of the rule for a person: the visit is LOCAL, SCHEDULED, CONFIRMED or CHECKED_IN, and its start is
-- known. It follows wait.part.sql. It ends inside the WHERE: continue with AND.
WHERE a.status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN')
  AND a.source = 'LOCAL'
  AND visit.starts_at IS NOT NULL
