-- Returns the log of no-shows, the newest first. It does not return notes, but only whether there are any.
-- $1 facility bigint or NULL · $2 doctor bigint or NULL · $3 first day of the visit date or NULL
-- $4 last day of the visit date or NULL · $5 reason text or NULL · $6 limit bigint
SELECT l.id, l.appointment_id, a.facility_id, a.doctor_id, a.patient_id, l.reason, l.slot_time, l.timeout_minutes,
       l.triggered_at, l.slot_released, l.slot_released_at, l.created_by, l.notes IS NOT NULL AS has_notes, l.run_id
FROM no_show_logs l
JOIN appointments a ON a.id = l.appointment_id
WHERE ($1 IS NULL OR a.facility_id = $1) AND ($2 IS NULL OR a.doctor_id = $2)
  AND ($3 IS NULL OR a.appointment_date >= $3) AND ($4 IS NULL OR a.appointment_date <= $4)
  AND ($5 IS NULL OR l.reason = $5)
ORDER BY l.id DESC
LIMIT $6
