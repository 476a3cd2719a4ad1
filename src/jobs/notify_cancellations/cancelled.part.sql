-- The WHERE clause for the visits that the job looks at: LOCAL ones that are CANCELLED, of today, of a later day or of
-- the window before. It follows clinic/visit.part.sql. It ends inside the WHERE: continue with AND.
-- $2 first date in any time zone date · $3 lookback in days int
WHERE a.status = 'CANCELLED'
  AND a.source = 'LOCAL'
  AND a.appointment_date >= $2
  AND visit.day >= visit.today - $3
