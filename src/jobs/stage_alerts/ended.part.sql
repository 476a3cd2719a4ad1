-- A join and the WHERE clause for open alerts `x` whose cause has ended: the visit is deleted, or no longer CHECKED_IN,
-- or the vitals were taken, or the visit was moved to another start than that of the alert.
-- The caller provides the relation x, rows of stage_alerts, and the expression of the start of a. It begins with LEFT
-- JOIN, so it follows FROM; it ends inside the WHERE: continue with AND.
-- $2 visits of the alerts, keys
LEFT JOIN appointments a ON a.id = ANY ($2) AND a.id::text = x.appointment_id
WHERE x.status IN ('ACTIVE', 'ACKNOWLEDGED')
  AND (a.id IS NULL OR a.status <> 'CHECKED_IN' OR (x.alert_type = 'NO_VITALS' AND a.vitals_recorded_at IS NOT NULL)
       OR x.visit_start <> {visit_start})
