-- Joins that add to a visit `a` its facility f, its doctor d, its zone, and visit (day, start_time, starts_at, today,
-- timeout_minutes). What cannot be read is NULL.
-- The caller provides the relation a, a row of appointments, and the expressions of its day, start, timeout
-- and slot length. It begins with JOIN, so it follows FROM; continue with a join or WHERE.
-- $1 now timestamptz · $5 facilities whose time zone cannot be read, keys
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($5) THEN f.time_zone::text END AS zone) tz
CROSS JOIN LATERAL (SELECT {day} AS day, {start_time} AS start_time, {slot_length} AS slot_length) own
CROSS JOIN LATERAL (
    SELECT own.day, own.start_time, (own.day + own.start_time) AT TIME ZONE tz.zone AS starts_at,
           ($1 AT TIME ZONE tz.zone)::date AS today, COALESCE({no_show_after}, own.slot_length) AS timeout_minutes
) visit
