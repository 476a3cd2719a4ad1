-- Joins that add to a visit `a` its facility f, its doctor d, its zone, and visit (starts_at, today, timeout_minutes).
-- The caller provides the relation a, a row of appointments. It begins with JOIN, so it follows FROM; continue with a
-- join or WHERE.
-- $1 now timestamptz · $5 facilities whose time zone cannot be read bigint[]
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($5) THEN f.time_zone END AS zone) tz
CROSS JOIN LATERAL (
    SELECT (a.appointment_date + a.start_time) AT TIME ZONE tz.zone AS starts_at,
           ($1 AT TIME ZONE tz.zone)::date AS today,
           COALESCE(f.no_show_after_minutes, d.slot_duration_minutes) AS timeout_minutes
) visit
