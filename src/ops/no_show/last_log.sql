-- Returns the last log row of a visit. It is a statement of its own, because the statement that waited for the lock of
-- the visit does not see rows that were committed meanwhile.
-- $1 id of the visit text
SELECT l.reason, l.created_by, l.triggered_at, l.undone_at IS NOT NULL AS is_undone
FROM no_show_logs l WHERE l.appointment_id = $1 ORDER BY l.id DESC LIMIT 1
