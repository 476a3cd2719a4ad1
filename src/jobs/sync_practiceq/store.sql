-- Stores a batch of appointments as they were read: whose each is, what became of it, who is told. One row of counts comes back.
-- $1 the rows, as clients::practiceq::Appointment is written, jsonb · $2 now timestamptz · $3 run id uuid · $4 the sweep, an id of
-- sync_logs, bigint · $5 only these patients bigint[]; NULL: all that are in scope
WITH
read AS MATERIALIZED (
    SELECT r.*, lower(btrim(r.client_email)) AS email, {folded_name} AS name, coalesce(r.practitioner_id, r.practitioner_email)
               AS practitioner
    FROM jsonb_to_recordset($1)
        AS r (external_id text, client_id text, client_name text, client_email text, date_of_birth date, odd_birthday boolean, is_group boolean,
              status text, starts_at timestamptz, ends_at timestamptz, practitioner_id text, practitioner_email text,
              service_name text, location_name text, meeting_url text, modified_at timestamptz, hash text, read_at timestamptz)
),
-- Patients with the same e-mail, and the same date of birth or name. A name that comes with another date of birth speaks for nobody,
-- and against the others. Who fits by both is meant.
fits AS MATERIALIZED (
    SELECT external_id, bool_or(born OR NOT other) AS somebody,
           CASE WHEN count(*) FILTER (WHERE born AND named) = 1 THEN min(id) FILTER (WHERE born AND named)
                WHEN count(*) = 1 THEN min(id) FILTER (WHERE born OR NOT other) END AS patient_id
    FROM (SELECT r.external_id, p.id, x.*
          FROM read r
          JOIN patients p ON p.email IS NOT NULL AND lower(btrim(p.email)) = r.email AND r.email <> ''
          CROSS JOIN LATERAL (SELECT coalesce(p.date_of_birth = r.date_of_birth, false) AS born,
                                     coalesce({folded_patient} = r.name, false) AS named,
                                     r.odd_birthday OR coalesce(p.date_of_birth <> r.date_of_birth, false) AS other) x
          WHERE born OR named) f
    GROUP BY external_id
),
-- What is stored of them; looked up one by one, whatever the planner believes of a table that is new. Not locked: of what has not
-- changed not even a lock is written.
stored AS MATERIALIZED (
    SELECT a.* FROM read r CROSS JOIN LATERAL (SELECT a.* FROM appointments a WHERE a.external_id = r.external_id OFFSET 0) a
),
-- Whose: what a person said of this very visit, a client that is known, the one patient who fits.
whose AS MATERIALIZED (
    SELECT r.*, d.known, d.ignored,
           CASE WHEN d.known THEN u.patient_id WHEN r.is_group THEN NULL WHEN c.client_id IS NOT NULL THEN c.patient_id
                WHEN r.client_id IS NULL AND r.email IS NULL THEN a.patient_id ELSE f.patient_id END AS patient_id,
           CASE WHEN r.is_group THEN 'GROUP' WHEN f.somebody THEN 'SEVERAL' ELSE 'NOBODY' END AS reason,
           NOT d.known AND NOT r.is_group AND c.client_id IS NULL AND r.client_id IS NOT NULL AS first_met
    FROM read r
    LEFT JOIN practiceq_unmatched u ON u.external_id = r.external_id AND u.status <> 'open'
                                       AND u.client_id IS NOT DISTINCT FROM r.client_id
    LEFT JOIN practiceq_clients c ON c.client_id = r.client_id
    LEFT JOIN fits f ON f.external_id = r.external_id
    -- A row that names no client does not say that it is somebody else's.
    LEFT JOIN stored a ON a.external_id = r.external_id
    CROSS JOIN LATERAL (
        SELECT coalesce(u.status = 'linked', false) AS known,
               coalesce(u.status = 'ignored', false)
               OR (u.id IS NULL AND NOT r.is_group AND c.client_id IS NOT NULL AND c.patient_id IS NULL) AS ignored
    ) d
),
judged AS MATERIALIZED (
    SELECT w.*, a.id, a.starts_at AS old_starts_at, a.meeting_url AS old_meeting_url, a.practitioner AS old_practitioner,
           a.synced_status AS old_status, a.patient_id AS old_patient_id, old.zone AS old_zone,
           a.status = a.synced_status AND a.cancelled_by IS NULL AS status_is_ours, a.deleted_at AS old_deleted_at,
           a.patient_id IS DISTINCT FROM w.patient_id AS is_elsewhere, a.missed_sweep, a.source_read_at AS old_read_at, place.facility_id, place.zone, doctor.doctor_id,
           (w.starts_at AT TIME ZONE place.zone)::date AS local_date, (w.starts_at AT TIME ZONE place.zone)::time AS local_time,
           CASE WHEN w.patient_id = ANY ($5) IS NOT TRUE AND a.patient_id = ANY ($5) IS NOT TRUE AND $5 IS NOT NULL
                     THEN 'other_patient'
                WHEN a.content_hash = w.hash AND a.patient_id = w.patient_id AND a.deleted_at IS NULL AND NOT w.ignored
                     AND a.practiceq_client_id IS NOT DISTINCT FROM w.client_id
                     AND a.doctor_id IS NOT DISTINCT FROM coalesce(doctor.doctor_id, a.doctor_id) AND a.facility_id = place.facility_id
                     AND a.appointment_date = (w.starts_at AT TIME ZONE place.zone)::date
                     AND a.start_time = (w.starts_at AT TIME ZONE place.zone)::time THEN 'unchanged'
                WHEN a.source_modified_at > w.modified_at OR a.deleted_at > w.read_at
                     OR (a.source_read_at > w.read_at AND coalesce(a.source_modified_at >= w.modified_at, true)) THEN 'older'
                WHEN w.ignored THEN 'ignored'
                WHEN w.patient_id IS NULL THEN 'unmatched'
                WHEN place.facility_id IS NULL THEN 'out_of_scope'
                WHEN a.id IS NULL THEN 'new'
                ELSE 'updated' END AS verdict
    FROM whose w
    LEFT JOIN stored a ON a.external_id = w.external_id
    LEFT JOIN LATERAL (SELECT f.time_zone AS zone FROM facilities f WHERE f.id = a.facility_id) old ON true
    LEFT JOIN LATERAL (
        SELECT s.doctor_id, d.facility_id
        FROM provider_intakeq_settings s JOIN doctors d ON d.id = s.doctor_id
        WHERE s.practitioner_id = w.practitioner_id OR lower(s.practitioner_email) = lower(w.practitioner_email)
        ORDER BY (s.practitioner_id = w.practitioner_id) IS TRUE DESC, s.id LIMIT 1
    ) doctor ON true
    -- Only of a patient in scope: by the doctor, by what is stored, by the first of the organizations.
    LEFT JOIN LATERAL (
        SELECT f.id AS facility_id, f.time_zone AS zone
        FROM patient_organization_affiliations l JOIN organizations o ON o.id = l.organization_id
        JOIN facilities f ON f.id = coalesce(doctor.facility_id, a.facility_id, o.facility_id)
        WHERE l.patient_id = w.patient_id AND l.status = 'active' ORDER BY o.id LIMIT 1
    ) place ON true
),
inserted AS (
    INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time, status,
                              synced_status, cancelled_at, created_at, updated_at, starts_at, ends_at, meeting_url, service_name,
                              location_name, practitioner, practiceq_client_id, source_modified_at, source_read_at, content_hash,
                              last_seen_sweep)
    SELECT facility_id, doctor_id, patient_id, 'PRACTICEQ', external_id, local_date, local_time, status, status,
           CASE WHEN status = 'CANCELLED' THEN coalesce(modified_at, $2) END, $2, $2, starts_at, ends_at, meeting_url, service_name,
           location_name, practitioner, client_id, modified_at, read_at, hash, $4
    FROM judged WHERE verdict = 'new' ORDER BY external_id
    ON CONFLICT (external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING external_id
),
-- Those of them that are to be written, as they were when they were judged. One that somebody holds right now is left to the next run.
held AS MATERIALIZED (
    SELECT a.id FROM judged j
    CROSS JOIN LATERAL (
        SELECT a.id FROM appointments a
        WHERE a.id = j.id AND a.source_read_at IS NOT DISTINCT FROM j.old_read_at AND a.deleted_at IS NOT DISTINCT FROM j.old_deleted_at
        FOR NO KEY UPDATE SKIP LOCKED
    ) a
    WHERE j.verdict = 'updated' OR (j.verdict IN ('unchanged', 'older') AND j.missed_sweep IS NOT NULL)
),
-- What people here do with a visit stays: the status is written only over what was written by us.
updated AS (
    UPDATE appointments a
    SET facility_id = j.facility_id, doctor_id = coalesce(j.doctor_id, a.doctor_id), patient_id = j.patient_id,
        appointment_date = j.local_date, start_time = j.local_time,
        status = CASE WHEN a.status = a.synced_status AND a.cancelled_by IS NULL THEN j.status ELSE a.status END,
        cancelled_at = CASE WHEN a.status IS DISTINCT FROM a.synced_status OR a.cancelled_by IS NOT NULL THEN a.cancelled_at
                            WHEN j.status = 'CANCELLED' THEN coalesce(a.cancelled_at, j.modified_at, $2) END,
        synced_status = j.status, updated_at = $2, starts_at = j.starts_at, ends_at = j.ends_at, meeting_url = j.meeting_url,
        service_name = j.service_name, location_name = j.location_name, practitioner = j.practitioner,
        practiceq_client_id = j.client_id, source_modified_at = j.modified_at, source_read_at = j.read_at, content_hash = j.hash,
        last_seen_sweep = $4, missed_sweep = NULL, deleted_at = NULL
    FROM judged j JOIN held ON held.id = j.id WHERE a.id = j.id AND j.verdict = 'updated'
),
-- Seen again.
found AS (
    UPDATE appointments a SET missed_sweep = NULL, last_seen_sweep = $4
    FROM judged j JOIN held ON held.id = j.id WHERE a.id = j.id AND j.verdict <> 'updated'
),
-- For a person to decide, once; again where it has become another client's.
filed AS (
    INSERT INTO practiceq_unmatched AS u (external_id, client_id, reason, starts_at, content, first_seen, run_id)
    SELECT j.external_id, j.client_id, j.reason, j.starts_at, content.item, $2, $3
    FROM judged j JOIN LATERAL (SELECT x.item FROM jsonb_array_elements($1) AS x (item)
                              WHERE x.item ->> 'external_id' = j.external_id) content
        ON true
    WHERE j.verdict = 'unmatched' ORDER BY j.external_id
    ON CONFLICT (external_id) DO UPDATE
    SET client_id = excluded.client_id, reason = excluded.reason, starts_at = excluded.starts_at, content = excluded.content,
        status = 'open', patient_id = NULL, decided_by = NULL, decided_at = NULL, run_id = excluded.run_id
    -- What a person decides at this moment stands.
    WHERE u.client_id IS DISTINCT FROM excluded.client_id
       OR (u.status = 'open' AND (u.content - 'read_at' <> excluded.content - 'read_at' OR u.reason <> excluded.reason))
),
decided AS (
    DELETE FROM practiceq_unmatched u USING judged j
    WHERE u.external_id = j.external_id AND u.status = 'open' AND j.verdict IN ('new', 'updated', 'unchanged', 'out_of_scope')
),
remembered AS (
    INSERT INTO practiceq_clients (client_id, patient_id, created_at, run_id)
    SELECT DISTINCT ON (client_id) client_id, patient_id, $2, $3
    FROM judged WHERE first_met AND verdict IN ('new', 'updated', 'unchanged') ORDER BY client_id
    ON CONFLICT (client_id) DO NOTHING
),
changes AS MATERIALIZED (
    SELECT j.id, j.patient_id, j.zone, change.kind, j.old_starts_at, j.starts_at, j.modified_at
    FROM judged j JOIN held ON held.id = j.id
    CROSS JOIN LATERAL (
        VALUES ('TIME', j.status <> 'CANCELLED' AND j.starts_at <> j.old_starts_at),
               ('PRACTITIONER', j.status <> 'CANCELLED' AND j.practitioner IS DISTINCT FROM j.old_practitioner),
               ('LINK', j.status <> 'CANCELLED' AND j.meeting_url IS DISTINCT FROM j.old_meeting_url),
               ('CANCELLED', j.status_is_ours AND j.status = 'CANCELLED' AND j.old_status <> 'CANCELLED'),
               ('REINSTATED', j.status <> 'CANCELLED' AND (j.old_deleted_at IS NOT NULL
                                                           OR (j.status_is_ours AND j.old_status = 'CANCELLED')))
    ) change (kind, holds)
    WHERE j.verdict = 'updated' AND change.holds AND NOT j.is_elsewhere
    UNION ALL
    -- For those of the patient whose it was, it is gone; for the others it is new.
    SELECT j.id, j.old_patient_id, j.old_zone, 'DELETED', j.old_starts_at, j.old_starts_at, j.modified_at
    FROM judged j JOIN held ON held.id = j.id
    WHERE j.verdict = 'updated' AND j.is_elsewhere AND j.old_deleted_at IS NULL AND j.old_status <> 'CANCELLED'
),
{told}
{outbox}
SELECT (SELECT count(*) FROM inserted) AS new,
       (SELECT count(*) FROM judged JOIN held USING (id) WHERE verdict = 'updated') AS updated,
       (SELECT count(*) FROM judged WHERE verdict = 'unchanged') AS unchanged,
       (SELECT count(*) FROM judged WHERE verdict = 'unmatched') AS unmatched,
       (SELECT count(*) FROM judged WHERE verdict = 'ignored') AS ignored,
       (SELECT count(*) FROM judged WHERE verdict = 'out_of_scope') AS out_of_scope,
       (SELECT count(*) FROM judged WHERE verdict = 'other_patient') AS other_patient,
       (SELECT count(*) FROM judged WHERE verdict = 'older') AS older,
       (SELECT count(*) FROM notified) AS notifications,
       -- Nobody's any more, or of somebody who is not in scope: to be taken out of the chart.
       ARRAY(SELECT id FROM judged
             WHERE is_elsewhere AND verdict IN ('unmatched', 'ignored', 'out_of_scope') AND id IS NOT NULL AND old_deleted_at IS NULL
             ORDER BY id) AS strays,
       ARRAY(SELECT DISTINCT coalesce(practitioner_id, '?') FROM judged
             WHERE practitioner IS NOT NULL AND doctor_id IS NULL AND verdict IN ('new', 'updated', 'unchanged')) AS practitioners,
       ARRAY(SELECT external_id FROM judged WHERE verdict = 'updated' AND id NOT IN (SELECT id FROM held)) AS locked,
       ARRAY(SELECT external_id FROM judged WHERE verdict = 'new' AND external_id NOT IN (SELECT external_id FROM inserted)) AS changed
