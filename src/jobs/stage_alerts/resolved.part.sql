-- A join and the WHERE clause for open alerts `x` whose cause has ended.
-- The caller provides the relation x, a row of stage_alerts. It begins with JOIN, so it follows FROM; it ends inside
-- the WHERE: continue with AND. It has no parameters.
JOIN appointments a ON a.id = x.appointment_id
WHERE x.status IN ('ACTIVE', 'ACKNOWLEDGED')
  AND (a.status <> 'CHECKED_IN' OR (x.alert_type = 'NO_VITALS' AND a.vitals_recorded_at IS NOT NULL))
