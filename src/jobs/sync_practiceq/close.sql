-- Closes the log of a run, and notes on the affiliations of patients since when their visits are fresh.
-- $1 id bigint · $2 status text · $3 error message text
-- $4 to $9 appointments new, updated, unchanged, errors, patients processed, patients failed bigint
-- $10 metadata jsonb · $11 patients that were read bigint[]; NULL: all · $12 patients that failed bigint[]
-- $13 fresh since timestamptz
-- $14 external id of the run's one appointment text · $15 whether all visits were read, and not only changes, boolean
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
-- An affiliation that somebody else holds keeps its instant. Changes alone refresh only a patient who was read before.
free AS MATERIALIZED (
    SELECT id FROM patient_organization_affiliations l
    WHERE l.status = 'active' AND ($11::bigint[] IS NULL OR l.patient_id = ANY ($11)) AND l.patient_id <> ALL ($12)
      AND ($15 OR l.last_practiceq_sync_at IS NOT NULL)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
),
fresh AS (
    UPDATE patient_organization_affiliations l SET last_practiceq_sync_at = greatest(last_practiceq_sync_at, $13)
    FROM free WHERE l.id = free.id
)
UPDATE sync_logs l
SET status = $2, error_message = $3, appointments_new = $4, appointments_updated = $5, appointments_unchanged = $6,
    appointments_errors = $7, patients_processed = $8, patients_failed = $9, metadata = $10, completed_at = clock.now,
    duration_ms = floor(EXTRACT(epoch FROM clock.now - l.started_at) * 1000),
    patient_id = coalesce(l.patient_id, (SELECT a.patient_id FROM appointments a WHERE a.external_id = $14))
FROM clock
WHERE l.id = $1 AND l.status = 'in_progress'
