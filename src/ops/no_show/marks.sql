-- Returns the marks of a run, or the last one of a visit, with the keys of their visits and slots as texts.
-- $1 id of the run uuid or NULL · $2 id of the visit text or NULL
SELECT l.id, l.appointment_id, l.slot_id
FROM no_show_logs l
WHERE l.run_id = $1
   OR l.id = (SELECT max(o.id) FROM no_show_logs o WHERE o.appointment_id = $2)
ORDER BY l.id
