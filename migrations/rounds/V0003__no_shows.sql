-- Why, when and by whom a visit became a no-show. A visit that is booked again and missed again has two rows. The rows of
-- a deleted visit stay, and are listed without facility, doctor and patient.
CREATE TABLE no_show_logs (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id    text NOT NULL,
    reason            text NOT NULL CHECK (reason IN ('AUTO_TIMEOUT', 'MANUAL_STAFF', 'MANUAL_DOCTOR',
                                                      'PATIENT_CALLED')),
    slot_time         timestamptz NOT NULL,
    timeout_minutes   integer CHECK (timeout_minutes > 0),
    triggered_at      timestamptz NOT NULL,
    slot_released     boolean NOT NULL,
    slot_released_at  timestamptz,
    notification_sent boolean NOT NULL DEFAULT false,
    created_by        text,
    notes             text,
    run_id            uuid,
    CHECK (slot_released = (slot_released_at IS NOT NULL)),
    -- A run that a person started has an author, too; what a person marked always has one.
    CONSTRAINT no_show_logs_author CHECK (reason = 'AUTO_TIMEOUT' OR created_by IS NOT NULL),
    CHECK (reason <> 'AUTO_TIMEOUT' OR timeout_minutes IS NOT NULL)
);
CREATE INDEX no_show_logs_appointment ON no_show_logs (appointment_id);
CREATE INDEX no_show_logs_triggered ON no_show_logs (triggered_at);
CREATE INDEX no_show_logs_run ON no_show_logs (run_id);

COMMENT ON TABLE no_show_logs IS
    'Why, when and by whom a visit became a no-show. A visit that is booked again and missed again has two rows. '
    'When the visit is gone, its rows are kept as evidence.';
COMMENT ON COLUMN no_show_logs.id IS 'The order of insertion.';
COMMENT ON COLUMN no_show_logs.appointment_id IS 'The key of the visit.';
COMMENT ON COLUMN no_show_logs.reason IS 'AUTO_TIMEOUT (the job), MANUAL_STAFF, MANUAL_DOCTOR or PATIENT_CALLED.';
COMMENT ON COLUMN no_show_logs.slot_time IS 'The instant at which the visit was to start.';
COMMENT ON COLUMN no_show_logs.timeout_minutes IS
    'How long after its start the job waited, in minutes; NULL: a person marked it.';
COMMENT ON COLUMN no_show_logs.triggered_at IS 'When it was marked.';
COMMENT ON COLUMN no_show_logs.slot_released IS 'Whether a slot of the doctor was made free.';
COMMENT ON COLUMN no_show_logs.slot_released_at IS 'When the slot was made free; NULL: it was not.';
COMMENT ON COLUMN no_show_logs.notification_sent IS 'Whether a notice to the patient was inserted into notifications.';
COMMENT ON COLUMN no_show_logs.created_by IS
    'The key of the user who marked it or started the run; NULL: the scheduler did.';
COMMENT ON COLUMN no_show_logs.notes IS 'Free text of that user; NULL: none.';
COMMENT ON COLUMN no_show_logs.run_id IS 'The run; NULL: a person marked it.';
