-- A visit `a` in time, with its facility and doctor: what every rule about no-shows looks at.
-- $1 now timestamptz · $5 facilities whose time zone cannot be read, bigint[]
JOIN facilities f ON f.id = a.facility_id
JOIN doctors d ON d.id = a.doctor_id
-- CASE, not AND: nothing may evaluate AT TIME ZONE with a name that the server would refuse.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($5) THEN f.time_zone END AS zone) tz
CROSS JOIN LATERAL (
    SELECT (a.appointment_date + a.start_time) AT TIME ZONE tz.zone AS starts_at,
           ($1 AT TIME ZONE tz.zone)::date AS today,
           COALESCE(f.no_show_after_minutes, d.slot_duration_minutes) AS timeout_minutes
) visit
