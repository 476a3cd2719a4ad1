-- Who marked a visit last. A statement of its own: the one that waited for the visit does not see what came meanwhile.
-- $1 id of the visit bigint
SELECT l.reason, l.created_by, l.triggered_at FROM no_show_logs l WHERE l.appointment_id = $1 ORDER BY l.id DESC LIMIT 1
