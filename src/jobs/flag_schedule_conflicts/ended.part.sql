-- Joins and the WHERE clause for open flags `x` that no longer hold, and `ended` (by): why. A visit that cannot be judged
-- keeps its flag.
-- The caller provides the relation x, rows of schedule_flags, and the joins of a visit in braces. It begins with LEFT
-- JOIN, so it follows FROM; it ends inside the WHERE: continue with AND.
-- $1 to $5 are the parameters of the joins · $6 visits of the flags, keys
LEFT JOIN appointments a ON a.id = ANY ($6) AND a.id::text = x.appointment_id
LEFT JOIN LATERAL (
    SELECT stay.begins, visit.starts_at, fit.verdict
    FROM (SELECT a.id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time) a
    {joins}
    WHERE a.doctor_id <> ALL ($4) AND tz.zone IS NOT NULL AND (a.facility_id = $5 OR $5 IS NULL)
      AND a.appointment_date >= $2
) seen ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN a.id IS NULL THEN 'GONE'
                WHEN a.status NOT IN ('SCHEDULED', 'CONFIRMED') OR a.source <> 'LOCAL' THEN 'NOT_AWAITED'
                WHEN a.doctor_id::text <> x.doctor_id OR a.facility_id::text <> x.facility_id
                     OR {start} <> x.visit_start
                THEN 'MOVED'
                WHEN seen.starts_at <= $1 OR a.appointment_date < $2 THEN 'OVER'
                WHEN seen.verdict = 'FITS' THEN 'FITS' END AS by
) ended
WHERE x.cleared_at IS NULL
  AND ended.by IS NOT NULL
