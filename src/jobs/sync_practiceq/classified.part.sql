-- Decides what becomes of each appointment of a batch: the CTE classified. It follows whose.part.sql.
-- A CTE that ends with a comma.
-- $5 only these patients, keys; NULL: all that are in scope · $8 facilities whose time zone cannot be read, keys
classified AS MATERIALIZED (
    SELECT m.*, a.id, a.old_marks, a.old_starts_at, a.old_meeting_url, a.old_practitioner, a.old_status, a.old_read_at,
           a.old_deleted_at, a.missed_sweep, a.patient_id AS old_patient_id, a.facility_id AS old_facility_id,
           old.zone AS old_zone,
           {link} AS link,
           a.status = a.old_status AND a.is_not_cancelled_here AS is_status_synced,
           coalesce(a.patient_id::text, a.old_patient_ref) IS DISTINCT FROM m.patient_id::text AS is_reassigned,
           facility.id AS facility_id, facility.zone, doctor.doctor_id, wall.day AS local_date,
           wall.start_time AS local_time,
           CASE WHEN m.is_stale THEN 'changed'
                WHEN (m.patient_id = ANY ($5)) IS NOT TRUE AND (a.patient_id = ANY ($5)) IS NOT TRUE
                     AND $5 IS NOT NULL THEN 'other_patient'
                WHEN a.old_hash = m.hash AND a.patient_id = m.patient_id AND a.old_deleted_at IS NULL
                     AND NOT m.is_ignored AND a.old_client_id IS NOT DISTINCT FROM m.kept_client_id
                     AND a.old_patient_ref = a.patient_id::text AND a.old_appointment_id = a.id::text
                     AND a.doctor_id IS NOT DISTINCT FROM coalesce(doctor.doctor_id, a.doctor_id)
                     AND a.facility_id = facility.id AND a.day = wall.day AND a.start_time = wall.start_time
                     THEN 'unchanged'
                WHEN a.old_modified_at > m.modified_at
                     OR (a.old_deleted_at > m.read_at AND {deletion_has_passed})
                     OR (a.old_read_at > m.read_at AND {reading_has_passed}
                         AND coalesce(a.old_modified_at >= m.modified_at, true))
                     THEN 'older'
                WHEN m.is_ignored THEN 'ignored'
                WHEN m.patient_id IS NULL THEN 'unmatched'
                WHEN facility.id IS NULL THEN 'out_of_scope'
                WHEN facility.zone IS NULL THEN 'no_zone'
                -- Also where the application has deleted its row: the visit is stored anew.
                WHEN a.id IS NULL THEN 'new'
                ELSE 'updated' END AS outcome
    FROM matched m
    LEFT JOIN stored a ON a.external_id = m.external_id
    -- CASE guarantees that AT TIME ZONE is never evaluated with a name that the server refuses; AND would not.
    LEFT JOIN LATERAL (
        SELECT CASE WHEN f.id <> ALL ($8) THEN f.time_zone::text END AS zone
        FROM facilities f WHERE f.id = a.facility_id
    ) old ON true
    LEFT JOIN LATERAL (
        SELECT s.doctor_id, d.facility_id
        FROM provider_intakeq_settings s JOIN doctors d ON d.id = s.doctor_id
        WHERE s.practitioner_id = m.practitioner_id OR lower(s.practitioner_email) = lower(m.practitioner_email)
        ORDER BY (s.practitioner_id = m.practitioner_id) IS TRUE DESC, s.id LIMIT 1
    ) doctor ON true
    -- Only for a patient in scope: the doctor's, else that of the stored visit, else that of the first organization.
    LEFT JOIN LATERAL (
        SELECT f.id, CASE WHEN f.id <> ALL ($8) THEN f.time_zone::text END AS zone
        FROM patient_organization_affiliations l JOIN organizations o ON o.id = l.organization_id
        JOIN facilities f ON f.id = coalesce(doctor.facility_id, a.facility_id, o.facility_id)
        WHERE l.patient_id = m.patient_id AND l.status = 'active' ORDER BY o.id LIMIT 1
    ) facility ON true
    CROSS JOIN LATERAL (
        SELECT (m.starts_at AT TIME ZONE facility.zone)::date AS day,
               (m.starts_at AT TIME ZONE facility.zone)::time AS start_time
    ) wall
),
