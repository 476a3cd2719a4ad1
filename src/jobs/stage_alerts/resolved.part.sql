-- The rule, over alerts `x`: what it warns of is no longer so. No parameters.
JOIN appointments a ON a.id = x.appointment_id
WHERE x.status IN ('ACTIVE', 'ACKNOWLEDGED')
  AND (a.status <> 'CHECKED_IN' OR (x.alert_type = 'NO_VITALS' AND a.vitals_recorded_at IS NOT NULL))
