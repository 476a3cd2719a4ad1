-- The WHERE clause for the visits that the job looks at: LOCAL, awaited, in the future, of a doctor whose hours can be
-- read. It follows conflict.part.sql. It ends inside the WHERE: continue with AND.
-- $1 now timestamptz · $2 first date in any time zone date · $4 doctors who are not judged, keys
-- $5 only visits of this facility, a key or NULL
WHERE a.status IN ('SCHEDULED', 'CONFIRMED')
  AND a.source = 'LOCAL'
  AND a.appointment_date >= $2
  AND a.doctor_id <> ALL ($4)
  AND (a.facility_id = $5 OR $5 IS NULL)
  AND tz.zone IS NOT NULL
  AND (visit.starts_at > $1 OR visit.starts_at IS NULL)
