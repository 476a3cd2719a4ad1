-- Who was shown whose data: a row for each patient shown, written before anything is.
CREATE TABLE phi_access_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     text NOT NULL,
    patient_id  text,
    command     text NOT NULL,
    entity      text NOT NULL,
    entity_id   text NOT NULL,
    accessed_at timestamptz NOT NULL
);
CREATE INDEX phi_access_log_patient ON phi_access_log (patient_id, accessed_at);
CREATE INDEX phi_access_log_user ON phi_access_log (user_id, accessed_at);

COMMENT ON TABLE phi_access_log IS
    'Who was shown whose data: a row for each patient shown, inserted before anything is shown. When the patient '
    'or the user is gone, the rows are kept as evidence.';
COMMENT ON COLUMN phi_access_log.id IS 'The order of insertion.';
COMMENT ON COLUMN phi_access_log.user_id IS 'The key of the user who looked.';
COMMENT ON COLUMN phi_access_log.patient_id IS
    'The key of the patient; NULL: the data is of nobody that the clinic knows.';
COMMENT ON COLUMN phi_access_log.command IS 'The command of rounds.';
COMMENT ON COLUMN phi_access_log.entity IS 'The kind of thing that the data was shown with, such as an alert.';
COMMENT ON COLUMN phi_access_log.entity_id IS 'The id of that thing.';
COMMENT ON COLUMN phi_access_log.accessed_at IS 'When it was shown.';
