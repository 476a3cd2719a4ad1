-- The job's rule, over visits `a` in time: nobody came.
-- $1 now timestamptz · $2, $3 first and last date in any time zone, date · $4 lookback, days int
WHERE a.status IN ('SCHEDULED', 'CONFIRMED')
  AND a.source = 'LOCAL'
  AND a.appointment_date BETWEEN $2 AND $3
  AND a.appointment_date >= visit.today - $4
  AND $1 >= visit.starts_at + make_interval(mins => visit.timeout_minutes)
