-- Decides whose each appointment of a batch is: the CTEs incoming, stored and matched, and those that they need.
-- The caller provides the expressions of the names, the marks, the date of birth and the clinic's day and time. CTEs that
-- end with a comma.
-- $1 appointments jsonb · $6 patients whom links and decisions name, as links.sql returned them, keys
-- $7 the same patients text[]
incoming AS MATERIALIZED (
    SELECT r.*, known.email, known.name, {client_marks} AS marks,
           coalesce(r.practitioner_id, r.practitioner_email) AS practitioner
    FROM jsonb_to_recordset($1)
        AS r (external_id text, client_id text, client_name text, client_email text, date_of_birth date,
              odd_birthday boolean, is_group boolean, status text, starts_at timestamptz, ends_at timestamptz,
              practitioner_id text, practitioner_email text, service_name text, location_name text,
              place_of_service text, meeting_url text, modified_at timestamptz, hash text, read_at timestamptz)
    CROSS JOIN LATERAL (SELECT lower(btrim(r.client_email)) AS email, {client_name} AS name) known
),
-- Patients with the same e-mail, and the same date of birth or name. Of several the one who has both is meant. A
-- patient with the same name and another date of birth is not meant, and makes the choice between others uncertain.
candidates AS MATERIALIZED (
    SELECT external_id, bool_or(same_birthday OR NOT other_birthday) AS has_match,
           CASE WHEN count(*) FILTER (WHERE same_birthday AND same_name) = 1
                     THEN (array_agg(id) FILTER (WHERE same_birthday AND same_name))[1]
                WHEN count(*) = 1 THEN (array_agg(id) FILTER (WHERE same_birthday OR NOT other_birthday))[1]
           END AS patient_id,
           array_agg(id) FILTER (WHERE same_birthday) AS born_then
    FROM (SELECT r.external_id, p.id, x.*
          FROM incoming r
          JOIN patients p ON p.email IS NOT NULL AND lower(btrim(p.email)) = r.email AND r.email <> ''
          CROSS JOIN LATERAL (SELECT {date_of_birth} AS date_of_birth) own
          CROSS JOIN LATERAL (
              SELECT coalesce(own.date_of_birth = r.date_of_birth, false) AS same_birthday,
                     coalesce({patient_name} = r.name, false) AS same_name,
                     r.odd_birthday OR coalesce(own.date_of_birth <> r.date_of_birth, false) AS other_birthday
          ) x
          WHERE same_birthday OR same_name) c
    GROUP BY external_id
),
-- What the ledger and the clinic have of each, looked up one by one, whatever the planner believes of a table that is
-- new. Either may be missing: the application may delete its row, or have made one of its own. They are not locked,
-- since for a visit that has not changed not even a lock is to be written.
stored AS MATERIALIZED (
    SELECT r.external_id, a.*, v.appointment_id AS old_appointment_id, v.patient_id AS old_patient_ref,
           v.client_id AS old_client_id, v.client_marks AS old_marks, v.starts_at AS old_starts_at,
           v.meeting_url AS old_meeting_url, v.account_url AS old_account_url,
           v.practitioner AS old_practitioner, v.status AS old_status, v.modified_at AS old_modified_at,
           v.read_at AS old_read_at, v.content_hash AS old_hash, v.deleted_at AS old_deleted_at, v.missed_sweep
    FROM incoming r
    LEFT JOIN LATERAL (SELECT v.* FROM practiceq_visits v WHERE v.external_id = r.external_id OFFSET 0) v ON true
    LEFT JOIN LATERAL (
        SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, {appointment_day} AS day, {start_time} AS start_time,
               a.status::text AS status, a.cancelled_by IS NULL AS is_not_cancelled_here
        FROM appointments a WHERE a.external_id = r.external_id OFFSET 0
    ) a ON true
),
known_patients AS MATERIALIZED (
    SELECT p.id, p.id::text AS ref FROM patients p WHERE p.id = ANY ($6)
),
-- Persons' decisions about these appointments, and the links of their clients. One that names a patient who is gone is
-- none. One that was made after links.sql looked is stale: its patient is not known here.
decisions AS MATERIALIZED (
    SELECT r.external_id, u.status, p.id AS patient_id,
           u.patient_id IS NOT NULL AND u.patient_id <> ALL ($7) AS is_stale
    FROM incoming r
    JOIN practiceq_unmatched u ON u.external_id = r.external_id AND u.status <> 'open'
                                  AND u.client_id IS NOT DISTINCT FROM r.client_id
    LEFT JOIN known_patients p ON p.ref = u.patient_id
    WHERE u.patient_id IS NULL OR p.id IS NOT NULL OR u.patient_id <> ALL ($7)
),
links AS MATERIALIZED (
    SELECT c.client_id, c.linked_by, p.id AS patient_id, c.waits,
           c.patient_id IS NOT NULL AND c.patient_id <> ALL ($7) AS is_stale
    FROM (SELECT DISTINCT client_id FROM incoming WHERE client_id IS NOT NULL) r
    JOIN practiceq_clients c ON c.client_id = r.client_id
    LEFT JOIN known_patients p ON p.ref = c.patient_id
    WHERE c.patient_id IS NULL OR p.id IS NOT NULL OR c.patient_id <> ALL ($7)
),
-- Whose each is: by a person's decision about this appointment, by the client if that is known, by the candidate. A row
-- that has the e-mail and the date of birth of patients of whom the known client is none is in conflict with itself: it
-- is nobody's. To a person's word only one such patient is an objection. A visit whose client has another id, and the
-- same name, e-mail and birthday as before, was merged with another: it stays where it is, and a person decides.
matched AS MATERIALIZED (
    SELECT r.*, d.is_linked, d.is_ignored, coalesce(u.is_stale, c.is_stale, false) AS is_stale,
           merged.is_merged, CASE WHEN merged.is_merged THEN a.old_client_id ELSE r.client_id END AS kept_client_id,
           CASE WHEN merged.is_merged THEN a.old_marks ELSE r.marks END AS kept_marks,
           CASE WHEN d.is_linked THEN u.patient_id WHEN merged.is_merged THEN a.patient_id WHEN r.is_group THEN NULL
                WHEN d.is_conflict THEN NULL WHEN c.client_id IS NOT NULL THEN c.patient_id
                WHEN r.client_id IS NULL AND r.email IS NULL THEN a.patient_id
                ELSE f.patient_id END AS patient_id,
           CASE WHEN merged.is_merged THEN 'MERGED' WHEN r.is_group THEN 'GROUP' WHEN d.is_conflict THEN 'CONFLICT'
                WHEN f.has_match THEN 'SEVERAL' ELSE 'NOBODY' END AS reason,
           NOT d.is_linked AND NOT merged.is_merged AND NOT r.is_group AND c.client_id IS NULL
               AND r.client_id IS NOT NULL AS is_new_client
    FROM incoming r
    LEFT JOIN decisions u ON u.external_id = r.external_id
    LEFT JOIN links c ON c.client_id = r.client_id
    LEFT JOIN candidates f ON f.external_id = r.external_id
    -- An appointment that names no client stays with the patient who has it.
    LEFT JOIN stored a ON a.external_id = r.external_id
    CROSS JOIN LATERAL (
        SELECT coalesce(u.status = 'linked', false) AS is_linked,
               coalesce(u.status = 'ignored', false)
               -- Not of a client whose link a person took back: what is read of it waits for the next decision.
               OR (u.external_id IS NULL AND NOT r.is_group AND c.client_id IS NOT NULL AND c.patient_id IS NULL
                   AND NOT c.waits)
                   AS is_ignored,
               coalesce(c.patient_id <> ALL (f.born_then) AND (c.linked_by IS NULL OR f.patient_id IS NOT NULL), false)
                   AS is_conflict
    ) d
    CROSS JOIN LATERAL (
        SELECT coalesce(NOT d.is_linked AND NOT d.is_ignored
                        AND (r.is_group OR (c.client_id IS NULL AND f.patient_id IS NULL))
                        AND a.old_client_id IS DISTINCT FROM r.client_id
                        AND a.old_deleted_at IS NULL AND a.old_patient_ref = a.patient_id::text
                        AND a.old_marks[1] = r.marks[1] AND coalesce(a.old_marks[2] = r.marks[2], true), false)
                   AS is_merged
    ) merged
),
