-- The WHERE clause of the job's rule: the patient has not come within the timeout. It follows visit.part.sql.
-- It ends inside the WHERE: continue with AND.
-- $1 now timestamptz · $2 first date in any time zone date · $3 last date in any time zone date · $4 lookback in days
-- int
WHERE a.status IN ('SCHEDULED', 'CONFIRMED')
  AND a.source = 'LOCAL'
  AND a.appointment_date BETWEEN $2 AND $3
  AND a.appointment_date >= visit.today - $4
  AND $1 >= visit.starts_at + make_interval(mins => visit.timeout_minutes)
