-- The WHERE clause for the visits that the job looks at: those whose patient is awaited, in the window of dates. It
-- follows wait.part.sql. It ends inside the WHERE: continue with AND.
-- $2 first date in any time zone date · $3 last date in any time zone date · $4 lookback in days int
WHERE a.status IN ('SCHEDULED', 'CONFIRMED')
  AND a.source = 'LOCAL'
  AND a.appointment_date >= $2 AND a.appointment_date < $3 + 1
  AND visit.day >= visit.today - $4
