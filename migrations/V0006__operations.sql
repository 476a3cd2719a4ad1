-- What the operator's commands need: who acted, who looked, and who was told that a job keeps failing.

-- A run that a person started has an author in its log rows, too; what a person marked always has one.
ALTER TABLE no_show_logs DROP CONSTRAINT no_show_logs_check1;
ALTER TABLE no_show_logs ADD CONSTRAINT no_show_logs_author CHECK (reason = 'AUTO_TIMEOUT' OR created_by IS NOT NULL);

ALTER TABLE stage_alerts ADD COLUMN resolution_notes text;     -- free text of whoever resolved it

-- Who was shown whose data: a row for each patient shown, written before anything is.
CREATE TABLE phi_access_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users,
    patient_id  bigint NOT NULL REFERENCES patients,
    command     text NOT NULL,                -- of rounds
    entity      text NOT NULL,                -- what the data was shown with
    entity_id   text NOT NULL,
    accessed_at timestamptz NOT NULL
);
CREATE INDEX phi_access_log_patient ON phi_access_log (patient_id, accessed_at);
CREATE INDEX phi_access_log_user ON phi_access_log (user_id, accessed_at);

-- The order in which the runs of a lane ended: failures in a row, the last success.
CREATE INDEX cron_job_runs_ended ON cron_job_runs (job_name, lane, completed_at DESC)
    WHERE status IN ('COMPLETED', 'FAILED');
CREATE INDEX cron_job_runs_started ON cron_job_runs (started_at DESC);

-- What was told of failures in a row. Partial: the outbox is large, and these are few.
CREATE INDEX notifications_of_failures ON notifications (entity_id, recipient_id)
    WHERE type IN ('JOB_FAILING', 'JOB_RECOVERED');
-- Notices come in the order of time: for pruning, pages and not rows need be told apart, which costs a job nothing.
CREATE INDEX notifications_created ON notifications USING brin (created_at);
