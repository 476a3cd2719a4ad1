-- An alert is of a visit's start: a visit that was moved can be alerted again.
ALTER TABLE stage_alerts ADD COLUMN visit_start timestamp;
ALTER TABLE stage_alerts DROP CONSTRAINT stage_alerts_appointment_id_alert_type_key;
ALTER TABLE stage_alerts ADD CONSTRAINT stage_alerts_once
    UNIQUE NULLS NOT DISTINCT (appointment_id, alert_type, visit_start);

COMMENT ON TABLE stage_alerts IS
    'A visit that is stuck between check-in and doctor. One alert for each visit, type and start. When the visit is '
    'gone, the next run resolves its open alerts, and so it does when the visit was moved to another start.';
COMMENT ON COLUMN stage_alerts.visit_start IS
    'The day and time for which the visit was booked, by the facility''s clock; NULL: they could not be read, or the '
    'alert was raised before it was kept.';

-- What a mark changed, and that a person undid it.
ALTER TABLE no_show_logs
    ADD COLUMN status_before text CHECK (status_before IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN')),
    ADD COLUMN visit_start timestamp,
    ADD COLUMN slot_id text,
    ADD COLUMN slot_blocked_before boolean,
    ADD COLUMN slot_blocked_after boolean,
    ADD COLUMN undone_at timestamptz,
    ADD COLUMN undone_by text,
    ADD COLUMN undo_reason text,
    ADD CONSTRAINT no_show_logs_undone
        CHECK ((undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undo_reason IS NULL));
CREATE INDEX no_show_logs_of_undone ON no_show_logs (appointment_id) WHERE undone_at IS NOT NULL;

COMMENT ON TABLE no_show_logs IS
    'Why, when and by whom a visit became a no-show, and who undid it. A visit that is booked again and missed again '
    'has two rows. When the visit is gone, its rows are kept as evidence.';
COMMENT ON COLUMN no_show_logs.timeout_minutes IS
    'How long after its start the patient was waited for, in minutes; NULL: neither the facility nor the doctor says '
    'so, or a person marked it before this was kept.';
COMMENT ON COLUMN no_show_logs.status_before IS
    'What the visit was: SCHEDULED, CONFIRMED or CHECKED_IN; NULL: marked before this was kept.';
COMMENT ON COLUMN no_show_logs.visit_start IS
    'The day and time for which the visit was booked, by the facility''s clock; NULL: marked before this was kept.';
COMMENT ON COLUMN no_show_logs.slot_id IS
    'The key of the slot that was made free; NULL: none was, or marked before this was kept. When the slot is gone, '
    'the row is kept as evidence.';
COMMENT ON COLUMN no_show_logs.slot_blocked_before IS
    'Whether that slot was blocked while the visit had it; NULL: no slot was made free.';
COMMENT ON COLUMN no_show_logs.slot_blocked_after IS
    'Whether that slot was blocked when it was made free, because the doctor was away; NULL: no slot was made free.';
COMMENT ON COLUMN no_show_logs.undone_at IS 'When the mark was undone; NULL: it was not.';
COMMENT ON COLUMN no_show_logs.undone_by IS 'The key of the user who undid it; NULL: it was not undone.';
COMMENT ON COLUMN no_show_logs.undo_reason IS 'Free text of that user; NULL: it was not undone.';
