-- An alert is of a visit's start: a visit that was moved can be alerted again.
ALTER TABLE stage_alerts ADD COLUMN visit_start timestamp;
ALTER TABLE stage_alerts DROP CONSTRAINT stage_alerts_appointment_id_alert_type_key;
ALTER TABLE stage_alerts ADD CONSTRAINT stage_alerts_once
    UNIQUE NULLS NOT DISTINCT (appointment_id, alert_type, visit_start);

COMMENT ON TABLE stage_alerts IS
    'A visit that is stuck between check-in and doctor. One alert for each visit, type and start. When the visit is '
    'gone or moved, the next run resolves its open alerts.';
COMMENT ON COLUMN stage_alerts.visit_start IS
    'The day and time for which the visit was booked, by the facility''s clock; NULL: they could not be read, or the '
    'alert was raised before it was kept.';
