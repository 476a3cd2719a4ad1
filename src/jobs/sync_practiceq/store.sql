-- Stores a batch of appointments: decides whose each is, writes it, queues it for a person where that cannot be
-- decided, and stages who is told. Returns one row of counts.
-- $1 appointments, as clients::practiceq::Appointment serializes them, jsonb · $2 now timestamptz · $3 run id uuid
-- $4 the sweep, an id of sync_logs, bigint · $5 only these patients bigint[]; NULL: all that are in scope
WITH
incoming AS MATERIALIZED (
    SELECT r.*, lower(btrim(r.client_email)) AS email, {client_name} AS name,
           coalesce(r.practitioner_id, r.practitioner_email) AS practitioner
    FROM jsonb_to_recordset($1)
        AS r (external_id text, client_id text, client_name text, client_email text, date_of_birth date,
              odd_birthday boolean, is_group boolean, status text, starts_at timestamptz, ends_at timestamptz,
              practitioner_id text, practitioner_email text, service_name text, location_name text, meeting_url text,
              modified_at timestamptz, hash text, read_at timestamptz)
),
-- Patients with the same e-mail, and the same date of birth or name. Of several the one who has both is meant. A
-- patient with the same name and another date of birth is not meant, and makes the choice between others uncertain.
candidates AS MATERIALIZED (
    SELECT external_id, bool_or(same_birthday OR NOT other_birthday) AS has_match,
           CASE WHEN count(*) FILTER (WHERE same_birthday AND same_name) = 1
                     THEN min(id) FILTER (WHERE same_birthday AND same_name)
                WHEN count(*) = 1 THEN min(id) FILTER (WHERE same_birthday OR NOT other_birthday) END AS patient_id
    FROM (SELECT r.external_id, p.id, x.*
          FROM incoming r
          JOIN patients p ON p.email IS NOT NULL AND lower(btrim(p.email)) = r.email AND r.email <> ''
          CROSS JOIN LATERAL (
              SELECT coalesce(p.date_of_birth = r.date_of_birth, false) AS same_birthday,
                     coalesce({patient_name} = r.name, false) AS same_name,
                     r.odd_birthday OR coalesce(p.date_of_birth <> r.date_of_birth, false) AS other_birthday
          ) x
          WHERE same_birthday OR same_name) c
    GROUP BY external_id
),
-- The stored visits, looked up one by one, whatever the planner believes of a table that is new. They are not locked,
-- since for a visit that has not changed not even a lock is to be written.
stored AS MATERIALIZED (
    SELECT a.*
    FROM incoming r
    CROSS JOIN LATERAL (SELECT a.* FROM appointments a WHERE a.external_id = r.external_id OFFSET 0) a
),
-- Whose each is: by a person's decision about this appointment, by the client if that is known, by the candidate.
matched AS MATERIALIZED (
    SELECT r.*, d.is_linked, d.is_ignored,
           CASE WHEN d.is_linked THEN u.patient_id WHEN r.is_group THEN NULL
                WHEN c.client_id IS NOT NULL THEN c.patient_id
                WHEN r.client_id IS NULL AND r.email IS NULL THEN a.patient_id
                ELSE f.patient_id END AS patient_id,
           CASE WHEN r.is_group THEN 'GROUP' WHEN f.has_match THEN 'SEVERAL' ELSE 'NOBODY' END AS reason,
           NOT d.is_linked AND NOT r.is_group AND c.client_id IS NULL AND r.client_id IS NOT NULL AS is_new_client
    FROM incoming r
    LEFT JOIN practiceq_unmatched u ON u.external_id = r.external_id AND u.status <> 'open'
                                       AND u.client_id IS NOT DISTINCT FROM r.client_id
    LEFT JOIN practiceq_clients c ON c.client_id = r.client_id
    LEFT JOIN candidates f ON f.external_id = r.external_id
    -- An appointment that names no client stays with the patient who has it.
    LEFT JOIN stored a ON a.external_id = r.external_id
    CROSS JOIN LATERAL (
        SELECT coalesce(u.status = 'linked', false) AS is_linked,
               coalesce(u.status = 'ignored', false)
               OR (u.id IS NULL AND NOT r.is_group AND c.client_id IS NOT NULL AND c.patient_id IS NULL) AS is_ignored
    ) d
),
classified AS MATERIALIZED (
    SELECT m.*, a.id, a.starts_at AS old_starts_at, a.meeting_url AS old_meeting_url,
           a.practitioner AS old_practitioner, a.synced_status AS old_status, a.patient_id AS old_patient_id,
           a.deleted_at AS old_deleted_at, a.source_read_at AS old_read_at, a.missed_sweep, old.zone AS old_zone,
           a.status = a.synced_status AND a.cancelled_by IS NULL AS is_status_synced,
           a.patient_id IS DISTINCT FROM m.patient_id AS is_reassigned,
           facility.id AS facility_id, facility.zone, doctor.doctor_id,
           (m.starts_at AT TIME ZONE facility.zone)::date AS local_date,
           (m.starts_at AT TIME ZONE facility.zone)::time AS local_time,
           CASE WHEN m.patient_id = ANY ($5) IS NOT TRUE AND a.patient_id = ANY ($5) IS NOT TRUE AND $5 IS NOT NULL
                     THEN 'other_patient'
                WHEN a.content_hash = m.hash AND a.patient_id = m.patient_id AND a.deleted_at IS NULL
                     AND NOT m.is_ignored AND a.practiceq_client_id IS NOT DISTINCT FROM m.client_id
                     AND a.doctor_id IS NOT DISTINCT FROM coalesce(doctor.doctor_id, a.doctor_id)
                     AND a.facility_id = facility.id
                     AND a.appointment_date = (m.starts_at AT TIME ZONE facility.zone)::date
                     AND a.start_time = (m.starts_at AT TIME ZONE facility.zone)::time THEN 'unchanged'
                WHEN a.source_modified_at > m.modified_at OR a.deleted_at > m.read_at
                     OR (a.source_read_at > m.read_at AND coalesce(a.source_modified_at >= m.modified_at, true))
                     THEN 'older'
                WHEN m.is_ignored THEN 'ignored'
                WHEN m.patient_id IS NULL THEN 'unmatched'
                WHEN facility.id IS NULL THEN 'out_of_scope'
                WHEN a.id IS NULL THEN 'new'
                ELSE 'updated' END AS outcome
    FROM matched m
    LEFT JOIN stored a ON a.external_id = m.external_id
    LEFT JOIN LATERAL (SELECT f.time_zone AS zone FROM facilities f WHERE f.id = a.facility_id) old ON true
    LEFT JOIN LATERAL (
        SELECT s.doctor_id, d.facility_id
        FROM provider_intakeq_settings s JOIN doctors d ON d.id = s.doctor_id
        WHERE s.practitioner_id = m.practitioner_id OR lower(s.practitioner_email) = lower(m.practitioner_email)
        ORDER BY (s.practitioner_id = m.practitioner_id) IS TRUE DESC, s.id LIMIT 1
    ) doctor ON true
    -- Only for a patient in scope: the doctor's, else that of the stored visit, else that of the first organization.
    LEFT JOIN LATERAL (
        SELECT f.id, f.time_zone AS zone
        FROM patient_organization_affiliations l JOIN organizations o ON o.id = l.organization_id
        JOIN facilities f ON f.id = coalesce(doctor.facility_id, a.facility_id, o.facility_id)
        WHERE l.patient_id = m.patient_id AND l.status = 'active' ORDER BY o.id LIMIT 1
    ) facility ON true
),
inserted AS (
    INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time,
                              status, synced_status, cancelled_at, created_at, updated_at, starts_at, ends_at,
                              meeting_url, service_name, location_name, practitioner, practiceq_client_id,
                              source_modified_at, source_read_at, content_hash, last_seen_sweep)
    SELECT facility_id, doctor_id, patient_id, 'PRACTICEQ', external_id, local_date, local_time, status, status,
           CASE WHEN status = 'CANCELLED' THEN coalesce(modified_at, $2) END, $2, $2, starts_at, ends_at, meeting_url,
           service_name, location_name, practitioner, client_id, modified_at, read_at, hash, $4
    FROM classified WHERE outcome = 'new' ORDER BY external_id
    ON CONFLICT (external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING external_id
),
-- The visits that are to be written and are still as they were when they were classified. A visit that somebody else
-- holds is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id FROM classified j
    CROSS JOIN LATERAL (
        SELECT a.id FROM appointments a
        WHERE a.id = j.id AND a.source_read_at IS NOT DISTINCT FROM j.old_read_at
          AND a.deleted_at IS NOT DISTINCT FROM j.old_deleted_at
        FOR NO KEY UPDATE SKIP LOCKED
    ) a
    WHERE j.outcome = 'updated' OR (j.outcome IN ('unchanged', 'older') AND j.missed_sweep IS NOT NULL)
),
-- The status is written only over one that the sync wrote: what the clinic's people do with a visit stays.
updated AS (
    UPDATE appointments a
    SET facility_id = j.facility_id, doctor_id = coalesce(j.doctor_id, a.doctor_id), patient_id = j.patient_id,
        appointment_date = j.local_date, start_time = j.local_time,
        status = CASE WHEN a.status = a.synced_status AND a.cancelled_by IS NULL THEN j.status ELSE a.status END,
        cancelled_at = CASE WHEN a.status IS DISTINCT FROM a.synced_status OR a.cancelled_by IS NOT NULL
                                 THEN a.cancelled_at
                            WHEN j.status = 'CANCELLED' THEN coalesce(a.cancelled_at, j.modified_at, $2) END,
        synced_status = j.status, updated_at = $2, starts_at = j.starts_at, ends_at = j.ends_at,
        meeting_url = j.meeting_url, service_name = j.service_name, location_name = j.location_name,
        practitioner = j.practitioner, practiceq_client_id = j.client_id, source_modified_at = j.modified_at,
        source_read_at = j.read_at, content_hash = j.hash, last_seen_sweep = $4, missed_sweep = NULL, deleted_at = NULL
    FROM classified j JOIN locked ON locked.id = j.id WHERE a.id = j.id AND j.outcome = 'updated'
),
-- Visits that an earlier sweep missed are no longer missing.
seen_again AS (
    UPDATE appointments a SET missed_sweep = NULL, last_seen_sweep = $4
    FROM classified j JOIN locked ON locked.id = j.id WHERE a.id = j.id AND j.outcome <> 'updated'
),
-- Queued for a person to decide, once; again where the appointment has become another client's.
queued AS (
    INSERT INTO practiceq_unmatched AS u (external_id, client_id, reason, starts_at, content, first_seen, run_id)
    SELECT j.external_id, j.client_id, j.reason, j.starts_at, content.item, $2, $3
    FROM classified j
    JOIN LATERAL (SELECT x.item FROM jsonb_array_elements($1) AS x (item)
                  WHERE x.item ->> 'external_id' = j.external_id) content ON true
    WHERE j.outcome = 'unmatched' ORDER BY j.external_id
    ON CONFLICT (external_id) DO UPDATE
    SET client_id = excluded.client_id, reason = excluded.reason, starts_at = excluded.starts_at,
        content = excluded.content, status = 'open', patient_id = NULL, decided_by = NULL, decided_at = NULL,
        run_id = excluded.run_id
    -- A decision that a person makes at this moment stays.
    WHERE u.client_id IS DISTINCT FROM excluded.client_id
       OR (u.status = 'open'
           AND (u.content - 'read_at' <> excluded.content - 'read_at' OR u.reason <> excluded.reason))
),
dequeued AS (
    DELETE FROM practiceq_unmatched u USING classified j
    WHERE u.external_id = j.external_id AND u.status = 'open'
      AND j.outcome IN ('new', 'updated', 'unchanged', 'out_of_scope')
),
new_clients AS (
    INSERT INTO practiceq_clients (client_id, patient_id, created_at, run_id)
    SELECT DISTINCT ON (client_id) client_id, patient_id, $2, $3
    FROM classified WHERE is_new_client AND outcome IN ('new', 'updated', 'unchanged') ORDER BY client_id
    ON CONFLICT (client_id) DO NOTHING
),
changes AS MATERIALIZED (
    SELECT j.id, j.patient_id, j.zone, change.kind, j.old_starts_at, j.starts_at, j.modified_at
    FROM classified j JOIN locked ON locked.id = j.id
    CROSS JOIN LATERAL (
        VALUES ('TIME', j.status <> 'CANCELLED' AND j.starts_at <> j.old_starts_at),
               ('PRACTITIONER', j.status <> 'CANCELLED' AND j.practitioner IS DISTINCT FROM j.old_practitioner),
               ('LINK', j.status <> 'CANCELLED' AND j.meeting_url IS DISTINCT FROM j.old_meeting_url),
               ('CANCELLED', j.is_status_synced AND j.status = 'CANCELLED' AND j.old_status <> 'CANCELLED'),
               ('REINSTATED', j.status <> 'CANCELLED' AND (j.old_deleted_at IS NOT NULL
                                                           OR (j.is_status_synced AND j.old_status = 'CANCELLED')))
    ) change (kind, applies)
    WHERE j.outcome = 'updated' AND change.applies AND NOT j.is_reassigned
    UNION ALL
    -- A visit that becomes another patient's is deleted for the one who had it, and new for the other.
    SELECT j.id, j.old_patient_id, j.old_zone, 'DELETED', j.old_starts_at, j.old_starts_at, j.modified_at
    FROM classified j JOIN locked ON locked.id = j.id
    WHERE j.outcome = 'updated' AND j.is_reassigned AND j.old_deleted_at IS NULL AND j.old_status <> 'CANCELLED'
),
{change_notices}
{outbox}
SELECT (SELECT count(*) FROM inserted) AS new,
       (SELECT count(*) FROM classified JOIN locked USING (id) WHERE outcome = 'updated') AS updated,
       (SELECT count(*) FROM classified WHERE outcome = 'unchanged') AS unchanged,
       (SELECT count(*) FROM classified WHERE outcome = 'unmatched') AS unmatched,
       (SELECT count(*) FROM classified WHERE outcome = 'ignored') AS ignored,
       (SELECT count(*) FROM classified WHERE outcome = 'out_of_scope') AS out_of_scope,
       (SELECT count(*) FROM classified WHERE outcome = 'other_patient') AS other_patient,
       (SELECT count(*) FROM classified WHERE outcome = 'older') AS older,
       (SELECT count(*) FROM notified) AS notifications,
       -- Visits in a chart that belong to nobody any more, or to somebody out of scope: they are to be removed from it.
       ARRAY(SELECT id FROM classified
             WHERE is_reassigned AND outcome IN ('unmatched', 'ignored', 'out_of_scope') AND id IS NOT NULL
               AND old_deleted_at IS NULL
             ORDER BY id) AS unowned,
       ARRAY(SELECT DISTINCT coalesce(practitioner_id, '?') FROM classified
             WHERE practitioner IS NOT NULL AND doctor_id IS NULL
               AND outcome IN ('new', 'updated', 'unchanged')) AS practitioners,
       ARRAY(SELECT external_id FROM classified
             WHERE outcome = 'updated' AND id NOT IN (SELECT id FROM locked)) AS locked,
       ARRAY(SELECT external_id FROM classified
             WHERE outcome = 'new' AND external_id NOT IN (SELECT external_id FROM inserted)) AS changed
