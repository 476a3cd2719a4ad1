-- Stores a batch of appointments: decides whose each is, writes it, queues it for a person where that cannot be
-- decided, and stages who is told. Returns one row of counts.
-- The clinic's table has what its people see of a visit. The ledger practiceq_visits has the rest. Of each only what
-- changed is written.
-- The caller provides the clause that leaves alone a visit that somebody else inserts at the same time.
-- $1 appointments, as clients::practiceq::Appointment serializes them, jsonb · $2 now timestamptz · $3 run id uuid
-- $4 the sweep, an id of sync_logs, bigint · $5 only these patients, keys; NULL: all that are in scope
-- $6 patients whom links and decisions name, as links.sql returned them, keys · $7 the same patients text[]
-- $8 facilities whose time zone cannot be read, keys
-- $9 the instant before whose start none is queued for a person, because it would only be forgotten timestamptz
WITH
{whose}
{classified}
inserted AS (
    INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time,
                              status, cancelled_at, created_at, updated_at)
    SELECT j.facility_id, j.doctor_id, j.patient_id, 'PRACTICEQ', j.external_id, j.local_date, j.local_time,
           {inserted_status},
           CASE WHEN j.status = 'CANCELLED' THEN coalesce(j.modified_at, $2) END, $2, $2
    FROM classified j WHERE j.outcome = 'new' ORDER BY j.external_id
    {unless_there}
    RETURNING id::text, external_id::text
),
-- The visits that are to be written and are still as they were when they were classified: first the clinic's row is
-- locked, then the ledger's. A visit that somebody else holds is left to the next run.
locked AS MATERIALIZED (
    SELECT j.external_id, a.id
    FROM classified j
    CROSS JOIN LATERAL (SELECT a.id FROM appointments a WHERE a.id = j.id FOR NO KEY UPDATE SKIP LOCKED) a
    LEFT JOIN LATERAL (
        SELECT true AS is_same FROM practiceq_visits v
        WHERE v.external_id = j.external_id AND v.read_at = j.old_read_at
          AND v.deleted_at IS NOT DISTINCT FROM j.old_deleted_at
        FOR NO KEY UPDATE SKIP LOCKED
    ) v ON true
    WHERE (j.outcome = 'updated' OR (j.outcome IN ('unchanged', 'older') AND j.missed_sweep IS NOT NULL)
           OR (j.outcome = 'unchanged' AND j.kept_marks IS DISTINCT FROM j.old_marks))
      AND (v.is_same OR j.old_read_at IS NULL)
),
-- The status is written only over one that the sync wrote: what the clinic's people do with a visit stays.
updated AS (
    UPDATE appointments a
    SET facility_id = j.facility_id, doctor_id = coalesce(j.doctor_id, a.doctor_id), patient_id = j.patient_id,
        appointment_date = j.local_date, start_time = j.local_time,
        status = CASE WHEN a.status::text = j.old_status AND a.cancelled_by IS NULL
                      THEN {updated_status} ELSE a.status END,
        cancelled_at = CASE WHEN (a.status::text = j.old_status AND a.cancelled_by IS NULL) IS NOT TRUE
                                 THEN a.cancelled_at::timestamptz
                            WHEN j.status = 'CANCELLED' THEN coalesce(a.cancelled_at::timestamptz, j.modified_at, $2)
                       END,
        updated_at = $2
    FROM classified j JOIN locked ON locked.external_id = j.external_id
    WHERE a.id = j.id AND j.outcome = 'updated'
      AND (a.facility_id IS DISTINCT FROM j.facility_id OR a.patient_id IS DISTINCT FROM j.patient_id
           OR a.doctor_id IS DISTINCT FROM coalesce(j.doctor_id, a.doctor_id)
           OR {appointment_day} IS DISTINCT FROM j.local_date OR {start_time} IS DISTINCT FROM j.local_time
           OR (a.status::text = j.old_status AND a.cancelled_by IS NULL
               AND (a.status::text <> j.status OR (a.cancelled_at IS NULL) = (j.status = 'CANCELLED'))))
),
remembered AS (
    INSERT INTO practiceq_visits AS v (external_id, appointment_id, patient_id, starts_at, ends_at, meeting_url,
                                       account_url, service_name, location_name, place_of_service, practitioner,
                                       client_id, client_marks, status, modified_at, read_at, content_hash,
                                       last_seen_sweep)
    SELECT j.external_id, written.id, j.patient_id::text, j.starts_at, j.ends_at, j.link, j.meeting_url,
           j.service_name, j.location_name, j.place_of_service, j.practitioner, j.kept_client_id, j.kept_marks,
           j.status, j.modified_at, j.read_at, j.hash, $4
    FROM classified j
    JOIN (SELECT i.external_id, i.id FROM inserted i UNION ALL SELECT l.external_id, l.id::text FROM locked l) written
         ON written.external_id = j.external_id
    WHERE j.outcome IN ('new', 'updated') ORDER BY j.external_id
    ON CONFLICT (external_id) DO UPDATE
    SET appointment_id = excluded.appointment_id, patient_id = excluded.patient_id, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, meeting_url = {kept_link}, account_url = excluded.account_url,
        service_name = excluded.service_name, location_name = excluded.location_name,
        place_of_service = excluded.place_of_service, practitioner = excluded.practitioner,
        client_id = excluded.client_id, client_marks = excluded.client_marks, status = excluded.status,
        modified_at = excluded.modified_at, read_at = excluded.read_at,
        content_hash = excluded.content_hash, last_seen_sweep = excluded.last_seen_sweep, missed_sweep = NULL,
        deleted_at = NULL
),
-- Visits that an earlier sweep missed are no longer missing. A client may have another name or e-mail.
seen_again AS (
    UPDATE practiceq_visits v
    SET missed_sweep = NULL, last_seen_sweep = $4,
        client_marks = CASE j.outcome WHEN 'unchanged' THEN j.kept_marks ELSE v.client_marks END
    FROM classified j JOIN locked ON locked.external_id = j.external_id
    WHERE v.external_id = j.external_id AND j.outcome <> 'updated'
),
-- Queued for a person to decide, once, what is nobody's or was merged; again where the appointment has become another
-- client's, or the patient to whom it was linked is gone.
queued AS (
    INSERT INTO practiceq_unmatched AS u (external_id, client_id, reason, starts_at, content, first_seen, run_id)
    SELECT j.external_id, j.client_id, j.reason, j.starts_at, content.item, $2, $3
    FROM classified j
    JOIN LATERAL (SELECT x.item FROM jsonb_array_elements($1) AS x (item)
                  WHERE x.item ->> 'external_id' = j.external_id) content ON true
    WHERE (j.outcome = 'unmatched' OR (j.is_merged AND j.outcome IN ('updated', 'unchanged'))) AND j.starts_at >= $9
    ORDER BY j.external_id
    ON CONFLICT (external_id) DO UPDATE
    SET client_id = excluded.client_id, reason = excluded.reason, starts_at = excluded.starts_at,
        content = excluded.content, status = 'open', patient_id = NULL, decided_by = NULL, decided_at = NULL,
        run_id = excluded.run_id
    -- A decision that a person makes at this moment stays.
    WHERE u.client_id IS DISTINCT FROM excluded.client_id
       OR (u.status = 'open'
           AND (u.content - 'read_at' <> excluded.content - 'read_at' OR u.reason <> excluded.reason))
       OR (u.patient_id = ANY ($7) AND u.patient_id NOT IN (SELECT ref FROM known_patients))
),
dequeued AS (
    DELETE FROM practiceq_unmatched u USING classified j
    WHERE u.external_id = j.external_id AND u.status = 'open'
      AND j.outcome IN ('new', 'updated', 'unchanged', 'out_of_scope') AND NOT j.is_merged
),
-- A link stays, unless its patient is gone.
new_clients AS (
    INSERT INTO practiceq_clients AS c (client_id, patient_id, created_at, seen_at, run_id)
    SELECT DISTINCT ON (client_id) client_id, patient_id::text, $2, $2, $3
    FROM classified WHERE is_new_client AND outcome IN ('new', 'updated', 'unchanged') ORDER BY client_id
    ON CONFLICT (client_id) DO UPDATE
    SET patient_id = excluded.patient_id, linked_by = NULL, created_at = excluded.created_at, run_id = excluded.run_id
    WHERE c.patient_id = ANY ($7) AND c.patient_id NOT IN (SELECT ref FROM known_patients)
),
-- A note that a client is nobody's stays as long as the client comes: once a month is enough to know.
seen_clients AS (
    UPDATE practiceq_clients c SET seen_at = $2
    FROM (SELECT client_id FROM practiceq_clients
          WHERE client_id IN (SELECT client_id FROM classified WHERE outcome = 'ignored') AND patient_id IS NULL
            AND seen_at < $2 - interval '30 days'
          ORDER BY client_id FOR NO KEY UPDATE SKIP LOCKED) s
    WHERE c.client_id = s.client_id
),
changes AS MATERIALIZED (
    SELECT j.id::text, j.patient_id, j.facility_id, j.zone, change.kind, j.old_starts_at, j.starts_at, j.modified_at
    FROM classified j JOIN locked ON locked.external_id = j.external_id
    CROSS JOIN LATERAL (
        VALUES ('TIME', j.status <> 'CANCELLED' AND j.starts_at <> j.old_starts_at),
               ('PRACTITIONER', j.status <> 'CANCELLED' AND j.practitioner IS DISTINCT FROM j.old_practitioner),
               ('LINK', j.status <> 'CANCELLED' AND j.link IS DISTINCT FROM j.old_meeting_url),
               ('CANCELLED', j.is_status_synced AND j.status = 'CANCELLED' AND j.old_status <> 'CANCELLED'),
               ('REINSTATED', j.status <> 'CANCELLED' AND (j.old_deleted_at IS NOT NULL
                                                           OR (j.is_status_synced AND j.old_status = 'CANCELLED')))
    ) change (kind, applies)
    WHERE j.outcome = 'updated' AND change.applies AND NOT j.is_reassigned AND j.old_read_at IS NOT NULL
    UNION ALL
    -- A visit that becomes another patient's is deleted for the one who had it, and new for the other.
    SELECT j.id::text, j.old_patient_id, j.old_facility_id, j.old_zone, 'DELETED', j.old_starts_at, j.old_starts_at, j.modified_at
    FROM classified j JOIN locked ON locked.external_id = j.external_id
    WHERE j.outcome = 'updated' AND j.is_reassigned AND j.old_deleted_at IS NULL AND j.old_status <> 'CANCELLED'
),
{change_notices}
{outbox}
SELECT (SELECT count(*) FROM inserted) AS new,
       (SELECT count(*) FROM classified JOIN locked USING (external_id) WHERE outcome = 'updated') AS updated,
       (SELECT count(*) FROM classified WHERE outcome = 'unchanged') AS unchanged,
       (SELECT count(*) FROM classified WHERE outcome = 'unmatched') AS unmatched,
       -- They are updated or unchanged.
       (SELECT count(*) FROM classified WHERE is_merged AND outcome IN ('updated', 'unchanged')) AS merged,
       (SELECT count(*) FROM classified WHERE outcome = 'ignored') AS ignored,
       (SELECT count(*) FROM classified WHERE outcome = 'out_of_scope') AS out_of_scope,
       (SELECT count(*) FROM classified WHERE outcome = 'other_patient') AS other_patient,
       (SELECT count(*) FROM classified WHERE outcome = 'older') AS older,
       (SELECT count(*) FROM classified WHERE outcome = 'no_zone') AS no_zone,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       -- Visits in a chart that belong to nobody any more, or to somebody out of scope: they are to be removed from it.
       ARRAY(SELECT external_id FROM classified
             WHERE is_reassigned AND outcome IN ('unmatched', 'ignored', 'out_of_scope') AND old_read_at IS NOT NULL
               AND old_deleted_at IS NULL
             ORDER BY external_id) AS unowned,
       ARRAY(SELECT DISTINCT coalesce(practitioner_id, '?') FROM classified
             WHERE practitioner IS NOT NULL AND doctor_id IS NULL
               AND outcome IN ('new', 'updated', 'unchanged')) AS practitioners,
       ARRAY(SELECT DISTINCT facility_id::text FROM classified WHERE outcome = 'no_zone') AS zoneless_facilities,
       ARRAY(SELECT external_id FROM classified
             WHERE outcome = 'updated' AND external_id NOT IN (SELECT external_id FROM locked)) AS locked,
       ARRAY(SELECT external_id FROM classified
             WHERE outcome = 'changed'
                OR (outcome = 'new' AND external_id NOT IN (SELECT external_id FROM inserted))) AS changed
