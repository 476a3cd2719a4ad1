-- Why, when and by whom a visit became a no-show. A visit that is booked again and missed again has two rows. The rows of
-- a deleted visit stay, and are listed without facility, doctor and patient.
CREATE TABLE no_show_logs (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id    text NOT NULL,
    reason            text NOT NULL CHECK (reason IN ('AUTO_TIMEOUT', 'MANUAL_STAFF', 'MANUAL_DOCTOR',
                                                      'PATIENT_CALLED')),
    slot_time         timestamptz NOT NULL,       -- the instant at which the visit was to start
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
