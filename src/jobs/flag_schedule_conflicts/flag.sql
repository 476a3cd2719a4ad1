-- Flags a batch of visits and tells their patients. Returns one row: counts and the skipped ids.
-- $1 to $6 are the parameters of clinic/visit.part.sql, conflict.part.sql and awaited.part.sql
-- $7 ids of visits, keys · $8 run id uuid
WITH
-- The visits. A visit that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.source, a.status, a.appointment_date, a.start_time,
           a.created_at
    FROM appointments a WHERE a.id = ANY ($7) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows and the hours as they are now.
due AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, visit.day, visit.start_time, visit.starts_at, stay.weekday,
           hours.version, version.changed_at, {doctor} AS doctor
    FROM locked a
    {awaited}
    AND standing.class = 'DUE'
    ORDER BY a.id
),
-- An open flag of earlier hours: the visit does not fit those of now either.
superseded AS (
    UPDATE schedule_flags x SET cleared_at = $1, cleared_by = 'CHANGED_AGAIN'
    WHERE x.appointment_id = ANY (ARRAY(SELECT due.id::text FROM due)) AND x.cleared_at IS NULL
),
-- A flag that another run has made at the same moment stays the only one.
flags AS (
    INSERT INTO schedule_flags (appointment_id, facility_id, doctor_id, weekday, version, changed_at, visit_start,
                                flagged_at, run_id)
    SELECT due.id::text, due.facility_id::text, due.doctor_id::text, due.weekday, due.version, due.changed_at,
           due.day + due.start_time, $1, $8
    FROM due
    ON CONFLICT (appointment_id, doctor_id, weekday, version, changed_at) DO NOTHING
    RETURNING appointment_id
),
-- Without a join, because the planner, which expects one visit, would compare each with each; IS TRUE keeps it from making
-- one of IN.
flagged AS MATERIALIZED (
    SELECT due.* FROM due WHERE (due.id::text IN (SELECT appointment_id FROM flags)) IS TRUE
),
-- An SMS names neither patient nor doctor nor time, because anyone who holds the phone may read it.
staged AS (
    SELECT 'PATIENT' AS recipient_kind, m.patient_id::text AS recipient_id, NULL::text AS address, notice.channel,
           'SCHEDULE_CHANGE' AS type, 'NORMAL' AS priority, 'Schedule Change Notification' AS title, notice.body,
           jsonb_build_object('appointment_id', m.id::text, 'starts_at', m.starts_at) AS metadata,
           jsonb_build_object('appointment_id', m.id::text, 'weekday', {weekday}, 'start', {start})
               || notice.names AS placeholders,
           'appointment' AS entity, m.id::text AS entity_id, m.facility_id::text AS facility_id,
           concat_ws(':', 'schedule_change', m.id::text, m.doctor_id::text, m.weekday, m.version,
                     EXTRACT(epoch FROM m.changed_at)) AS episode,
           notice.channel = 'SMS' AND p.sms_opt_out AS suppressed, m.starts_at AS expires_at, $1 AS staged_at,
           $8 AS run_id
    FROM flagged m JOIN patients p ON p.id = m.patient_id
    CROSS JOIN LATERAL (VALUES
        ('IN_APP', format('Dr. %s''s schedule has changed. Your appointment on %s at %s may be affected. Please contact '
                          'the clinic to confirm or reschedule.', m.doctor, {weekday}, {start}),
         jsonb_build_object('doctor', m.doctor)),
        ('SMS', 'Your appointment may be affected by a schedule change. Please contact us to confirm.', '{{}}'::jsonb)
    ) AS notice (channel, body, names)
    WHERE notice.channel = 'IN_APP' OR {has_phone}
),
{outbox}
SELECT (SELECT count(*) FROM flagged) AS flagged,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       (SELECT count(*) FROM notified WHERE status = 'SUPPRESSED') AS notices_suppressed,
       ARRAY(SELECT flagged.id::text FROM flagged) AS visits,
       {skipped_columns}
