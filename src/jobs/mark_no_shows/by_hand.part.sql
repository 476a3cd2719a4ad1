-- The rule of a person who marks it, over visits `a` in time: it is ours, and neither begun nor over.
WHERE a.status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN')
  AND a.source = 'LOCAL'
  AND visit.starts_at IS NOT NULL
