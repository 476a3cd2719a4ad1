-- Patients without an e-mail of whom a person has said that they are not to be found in the account; and how many
-- practitioners a sync did not know, which is a partial success of it.
CREATE TABLE practiceq_skipped_patients (
    patient_id text PRIMARY KEY CHECK (patient_id <> ''),
    reason     text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    skipped_by text NOT NULL,
    skipped_at timestamptz NOT NULL
);

COMMENT ON TABLE practiceq_skipped_patients IS
    'Patients whom the sync leaves out as long as they have no e-mail and no known client, and does not count as failed. '
    'When the patient is gone, the row is ignored.';
COMMENT ON COLUMN practiceq_skipped_patients.patient_id IS 'The key of the patient.';
COMMENT ON COLUMN practiceq_skipped_patients.reason IS 'Why, as the user wrote it; no command shows it.';
COMMENT ON COLUMN practiceq_skipped_patients.skipped_by IS 'The key of the user who said so.';
COMMENT ON COLUMN practiceq_skipped_patients.skipped_at IS 'When it was said.';

ALTER TABLE sync_logs ADD COLUMN unknown_practitioners bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sync_logs.unknown_practitioners IS
    'Practitioners of its visits whose doctor is not known; with any of them it is a partial_success.';

CREATE OR REPLACE VIEW v_recent_sync_activity AS
SELECT l.id, l.sync_type, l.organization_id, l.organization_name, l.patient_id, l.triggered_by_user_id,
       l.triggered_by_name, l.started_at, l.completed_at, l.duration_ms, l.status, l.appointments_new,
       l.appointments_updated, l.appointments_unchanged, l.appointments_errors, l.patients_processed, l.patients_failed,
       l.error_message, l.unknown_practitioners
FROM sync_logs l
ORDER BY l.started_at DESC, l.id DESC
LIMIT 100;
COMMENT ON COLUMN v_recent_sync_activity.unknown_practitioners IS
    'Practitioners of its visits whose doctor is not known; with any of them it is a partial_success.';
