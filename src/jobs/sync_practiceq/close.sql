-- Closes the log of a run, and notes for patients and organizations since when the visits are fresh.
-- $1 id bigint · $2 status text · $3 error message text
-- $4 to $9 appointments new, updated, unchanged, errors, patients processed, patients failed bigint
-- $10 metadata jsonb · $11 patients that were read, keys; NULL: all · $12 patients of whom not all was read, keys
-- $13 fresh since timestamptz
-- $14 external id of the run's one appointment text · $15 whether all visits were read, and not only changes, boolean
-- $16 practitioners that are not known bigint
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
-- Changes alone refresh only a patient who was read before. The order is that of all runs, which may close at once.
fresh AS (
    INSERT INTO practiceq_freshness AS f (patient_id, organization_id, fresh_since)
    SELECT l.patient_id::text, l.organization_id::text, $13
    FROM patient_organization_affiliations l
    WHERE l.status = 'active' AND (l.patient_id = ANY ($11) OR $11 IS NULL) AND l.patient_id <> ALL ($12)
      AND ($15 OR EXISTS (SELECT FROM practiceq_freshness f
                          WHERE f.patient_id = l.patient_id::text AND f.organization_id = l.organization_id::text))
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (patient_id, organization_id) DO UPDATE SET fresh_since = excluded.fresh_since
    WHERE f.fresh_since < excluded.fresh_since OR NOT {has_passed}
)
UPDATE sync_logs l
SET status = $2, error_message = $3, appointments_new = $4, appointments_updated = $5, appointments_unchanged = $6,
    appointments_errors = $7, unknown_practitioners = $16, patients_processed = $8, patients_failed = $9,
    metadata = $10, completed_at = clock.now,
    duration_ms = floor(EXTRACT(epoch FROM clock.now - l.started_at) * 1000),
    patient_id = coalesce(l.patient_id, (SELECT v.patient_id FROM practiceq_visits v WHERE v.external_id = $14))
FROM clock
WHERE l.id = $1 AND l.status = 'in_progress'
