-- Joins that add to a visit `a` its facility f, its doctor d, its zone, and visit (day, start_time, starts_at, today).
-- What cannot be read is NULL.
-- The caller provides the relation a, a row of appointments, the expressions of its day and time, the instant, and the
-- facilities whose time zone cannot be read, keys. It begins with JOIN, so it follows FROM; continue with a join or
-- WHERE.
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ({zones}) THEN f.time_zone::text END AS zone) tz
CROSS JOIN LATERAL (SELECT {day} AS day, {start_time} AS start_time) own
CROSS JOIN LATERAL (
    SELECT own.day, own.start_time, (own.day + own.start_time) AT TIME ZONE tz.zone AS starts_at,
           ({now} AT TIME ZONE tz.zone)::date AS today
) visit
