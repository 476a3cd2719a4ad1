-- Who was shown whose data: a row for each patient shown, written before anything is.
CREATE TABLE phi_access_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     text NOT NULL,
    patient_id  text,                         -- NULL: nobody of the clinic's
    command     text NOT NULL,                -- of rounds
    entity      text NOT NULL,                -- what the data was shown with
    entity_id   text NOT NULL,
    accessed_at timestamptz NOT NULL
);
CREATE INDEX phi_access_log_patient ON phi_access_log (patient_id, accessed_at);
CREATE INDEX phi_access_log_user ON phi_access_log (user_id, accessed_at);
