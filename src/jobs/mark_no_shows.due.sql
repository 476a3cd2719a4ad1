-- The rule, over visits `a`: nobody came in time.
-- $1 now timestamptz · $2, $3 first and last date in any time zone, date · $4 lookback, days int
-- $5 facilities whose time zone cannot be read, bigint[]
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
-- CASE, not AND: nothing may evaluate AT TIME ZONE with a name that the server would refuse.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($5) THEN f.time_zone END AS zone) tz
CROSS JOIN LATERAL (
    SELECT (a.appointment_date + a.start_time) AT TIME ZONE tz.zone AS starts_at,
           ($1 AT TIME ZONE tz.zone)::date AS today,
           COALESCE(f.no_show_after_minutes, d.slot_duration_minutes) AS timeout_minutes
) visit
WHERE a.status IN ('SCHEDULED', 'CONFIRMED')
  AND a.source = 'LOCAL'
  AND a.appointment_date BETWEEN $2 AND $3
  AND a.appointment_date >= visit.today - $4
  AND $1 >= visit.starts_at + make_interval(mins => visit.timeout_minutes)
