-- Joins and the WHERE clause of the rule: a visit `a` is checked in, and one of three alerts is due, as alert.type.
-- The caller provides the relation a, a row of appointments. It begins with JOIN, so it follows FROM; it ends inside
-- the WHERE: continue with AND.
-- $1 now timestamptz · $2 facilities whose time zone cannot be read bigint[] · $3 basis text: 'slot-end' or 'arrival'
-- $4 no-vitals minutes int · $5 no-doctor minutes int · $6 waiting minutes int or NULL · $7 lookback days int or NULL
JOIN facilities f ON f.id = a.facility_id
LEFT JOIN doctors d ON d.id = a.doctor_id
LEFT JOIN doctor_slots s ON s.appointment_id = a.id
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone END AS zone) tz
CROSS JOIN LATERAL (SELECT (a.appointment_date + a.start_time) AT TIME ZONE tz.zone AS starts_at) visit
CROSS JOIN LATERAL (
    SELECT COALESCE((s.slot_date + s.end_time) AT TIME ZONE tz.zone,
                    visit.starts_at + make_interval(mins => d.slot_duration_minutes)) AS ends_at
) slot
CROSS JOIN LATERAL (VALUES
    ('NO_VITALS', a.vitals_recorded_at IS NULL,
     CASE $3 WHEN 'arrival' THEN GREATEST(visit.starts_at, a.checked_in_at) ELSE slot.ends_at END, $4),
    ('NO_DOCTOR', a.vitals_recorded_at IS NOT NULL,
     CASE $3 WHEN 'arrival' THEN a.vitals_recorded_at ELSE slot.ends_at END, $5),
    ('WAITING_TOO_LONG', true, a.checked_in_at, COALESCE(f.waiting_alert_minutes, $6))
) AS alert (type, unmet, since, after_minutes)
WHERE a.status = 'CHECKED_IN'
  AND tz.zone IS NOT NULL
  AND alert.unmet
  AND $1 >= alert.since + make_interval(mins => alert.after_minutes)
  AND ($7 IS NULL OR a.appointment_date >= ($1 AT TIME ZONE tz.zone)::date - $7)
  AND NOT EXISTS (SELECT FROM stage_alerts x WHERE x.appointment_id = a.id AND x.alert_type = alert.type)
