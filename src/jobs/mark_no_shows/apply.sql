-- Marks a batch of visits, frees their slots, logs why, tells the patients. One row of counts comes back.
-- $1 .. $5 as in the rule · $6 ids of visits bigint[] · $7 id of the run, or of the act of a person, uuid
-- $8 reason text · $9 who did it, a user's id bigint or NULL · $10 that user's notes text or NULL
WITH
-- The visits. One that the clinic's application holds right now is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.source, a.status, a.appointment_date, a.start_time
    FROM appointments a WHERE a.id = ANY ($6) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- Their slots, after the visits.
slots AS MATERIALIZED (
    SELECT s.* FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
),
-- Visits whose slot somebody else holds: the pair is left alone.
held AS MATERIALIZED (
    SELECT s.appointment_id AS id FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) AND s.id NOT IN (SELECT id FROM slots)
),
-- Joined before the rule: where the planner guesses few visits are due, it would compare each with every slot.
pairs AS MATERIALIZED (
    SELECT a.*, s.id AS slot_id, s.slot_date, s.start_time AS slot_start, s.end_time AS slot_end
    FROM locked a LEFT JOIN slots s ON s.appointment_id = a.id
    WHERE a.id NOT IN (SELECT id FROM held)
),
-- The rule again, on what the rows say now that they are locked.
due AS MATERIALIZED (
    SELECT visits.*, COALESCE($1 < visits.slot_ends_at, false) AS release
    FROM (
        SELECT a.id, a.patient_id, a.status, a.appointment_date, a.start_time, d.last_name AS doctor, visit.starts_at,
               visit.timeout_minutes, a.appointment_date < visit.today AS late,
               (a.appointment_date + 1)::timestamp AT TIME ZONE tz.zone AS day_ends_at,
               a.slot_id,
               COALESCE((a.slot_date + a.slot_start) AT TIME ZONE tz.zone, visit.starts_at) AS slot_starts_at,
               COALESCE((a.slot_date + a.slot_end) AT TIME ZONE tz.zone,
                        visit.starts_at + make_interval(mins => d.slot_duration_minutes)) AS slot_ends_at
        FROM pairs a
        {due}
        ORDER BY a.id
    ) visits
),
-- What follows takes its rows from here: what was really changed.
marked AS (
    UPDATE appointments a SET status = 'NO_SHOW', updated_at = $1 FROM due
    WHERE a.id = due.id AND a.status = due.status
    RETURNING due.*
),
-- Free for another patient, unless the doctor is away: then it stays closed.
released AS (
    UPDATE doctor_slots s
    SET is_booked = false, appointment_id = NULL,
        is_blocked = EXISTS (SELECT FROM doctor_absences x
                             WHERE x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
                               AND x.starts_at < m.slot_ends_at AND x.ends_at > m.slot_starts_at)
    FROM marked m WHERE s.id = m.slot_id AND s.appointment_id = m.id AND m.release
),
logged AS (
    INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at, slot_released,
                              slot_released_at, created_by, notes, run_id)
    SELECT m.id, $8, m.starts_at, CASE WHEN $8 = 'AUTO_TIMEOUT' THEN m.timeout_minutes END, $1, m.release,
           CASE WHEN m.release THEN $1 END, $9, $10, CASE WHEN $8 = 'AUTO_TIMEOUT' THEN $7 END
    FROM marked m
),
-- Told once per log row; the key is visit and run or act. Who called to say so knows it. The SMS may be read by anyone who
-- holds the phone: no name, no doctor, no service.
staged AS (
    SELECT 'PATIENT' AS recipient_kind, m.patient_id AS recipient_id, NULL::text AS address, notice.channel,
           'MISSED_APPOINTMENT' AS type, 'NORMAL' AS priority, 'Missed appointment' AS title, notice.body,
           jsonb_build_object('appointment_id', m.id, 'starts_at', m.starts_at) AS metadata,
           'appointment' AS entity, m.id::text AS entity_id, concat_ws(':', 'no_show', m.id, $7) AS episode,
           notice.channel = 'SMS' AND p.sms_opt_out AS suppressed, m.day_ends_at AS expires_at,
           $1 AS staged_at, CASE WHEN $8 = 'AUTO_TIMEOUT' THEN $7 END AS run_id
    FROM marked m JOIN patients p ON p.id = m.patient_id
    -- A person may mark a visit whose time has not come: nobody has missed that yet.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.starts_at <= $1 THEN format('You missed your %s appointment', to_char(m.start_time, 'HH24:MI'))
                    ELSE format('You were marked as a no-show for your appointment of %s %s', m.appointment_date,
                                to_char(m.start_time, 'HH24:MI')) END AS what
    ) AS told
    CROSS JOIN LATERAL (VALUES
        ('IN_APP', format('%s with Dr. %s. Please contact the clinic to book a new time.', told.what, m.doctor)),
        ('SMS', format('%s. Please call the clinic to book a new time.', told.what))
    ) AS notice (channel, body)
    WHERE NOT m.late AND $8 <> 'PATIENT_CALLED' AND (notice.channel = 'IN_APP' OR p.phone IS NOT NULL)
),
{outbox}
SELECT (SELECT count(*) FROM marked) AS marked,
       (SELECT count(*) FROM marked WHERE release) AS slots_released,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       (SELECT count(*) FROM notified WHERE status = 'SUPPRESSED') AS notices_suppressed,
       (SELECT count(*) FROM marked WHERE late AND $8 <> 'PATIENT_CALLED') AS notices_expired,
       {skipped_columns}
