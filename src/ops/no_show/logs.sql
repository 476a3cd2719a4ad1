-- Returns a page of the log of no-shows, the newest first. It does not return notes, but only whether there are any.
-- $1 the last id that is known bigint · $2 reason text or NULL · $3 limit bigint
SELECT l.id, l.appointment_id, l.reason, l.slot_time, l.timeout_minutes, l.triggered_at, l.slot_released,
       l.slot_released_at, l.created_by, l.notes IS NOT NULL AS has_notes, l.run_id, l.status_before, l.undone_at,
       l.undone_by
FROM no_show_logs l
WHERE l.id < $1 AND ($2 IS NULL OR l.reason = $2)
ORDER BY l.id DESC
LIMIT $3
