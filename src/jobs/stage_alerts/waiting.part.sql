-- Joins and the WHERE clause for patients who wait: a visit `a` is checked in, and `alert` (type, since, after_minutes)
-- is one of three alerts that it never had for its start. What cannot be read is NULL. alert.by_slot says whether since
-- is the end of the slot, which is not known where there is neither a slot nor a slot length.
-- The caller provides the relation a, a row of appointments, and the expressions of its day, times and slot. It begins
-- with JOIN, so it follows FROM; it ends inside the WHERE: continue with AND.
-- $1 now timestamptz · $2 facilities whose time zone cannot be read, keys · $3 basis text: 'slot-end' or 'arrival'
-- $4 no-vitals minutes int · $5 no-doctor minutes int · $6 waiting minutes int or NULL
-- $7 first date in any time zone date · $8 lookback in days int
JOIN facilities f ON f.id = a.facility_id
LEFT JOIN doctors d ON d.id = a.doctor_id
-- One row, also where an application gives a visit two slots.
LEFT JOIN LATERAL (
    SELECT max({slot_day} + {slot_end}) AS ends FROM doctor_slots s WHERE s.appointment_id = a.id
) booked ON true
-- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone::text END AS zone) tz
CROSS JOIN LATERAL (SELECT {day} AS day, {visit_start} AS start, {slot_length} AS slot_length) own
CROSS JOIN LATERAL (
    SELECT own.start AT TIME ZONE tz.zone AS starts_at, {checked_in_at} AS checked_in_at,
           {vitals_recorded_at} AS vitals_recorded_at
) visit
CROSS JOIN LATERAL (
    SELECT COALESCE(booked.ends AT TIME ZONE tz.zone,
                    visit.starts_at + make_interval(mins => own.slot_length)) AS ends_at,
           -- GREATEST alone would ignore a NULL.
           CASE WHEN visit.starts_at IS NOT NULL AND visit.checked_in_at IS NOT NULL
                THEN GREATEST(visit.starts_at, visit.checked_in_at) END AS arrival_at
) slot
CROSS JOIN LATERAL (VALUES
    ('NO_VITALS', a.vitals_recorded_at IS NULL,
     CASE $3 WHEN 'arrival' THEN slot.arrival_at ELSE slot.ends_at END, $4, $3 <> 'arrival'),
    ('NO_DOCTOR', a.vitals_recorded_at IS NOT NULL,
     CASE $3 WHEN 'arrival' THEN visit.vitals_recorded_at ELSE slot.ends_at END, $5, $3 <> 'arrival'),
    ('WAITING_TOO_LONG', true, visit.checked_in_at, COALESCE({waiting_minutes}, $6), false)
) AS alert (type, unmet, since, after_minutes, by_slot)
WHERE a.status = 'CHECKED_IN'
  AND tz.zone IS NOT NULL
  AND alert.unmet
  AND a.appointment_date >= $7
  AND own.day >= ($1 AT TIME ZONE tz.zone)::date - $8
  -- An alert whose start is not known is one of this start if it was raised at most a day before it.
  AND NOT EXISTS (SELECT FROM stage_alerts x
                  WHERE x.appointment_id = a.id::text AND x.alert_type = alert.type
                    AND (x.visit_start IS NOT DISTINCT FROM own.start
                         OR (x.visit_start IS NULL AND x.triggered_at >= visit.starts_at - interval '1 day')))
