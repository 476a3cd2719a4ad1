-- Marks a batch of visits as no-shows, releases their slots, writes the log, notifies the patients. Returns one row:
-- counts and the skipped ids.
-- $1 to $5 are the parameters of the rule · $6 ids of visits, keys
-- $7 id of the run, or of a person's action uuid · $8 reason text · $9 actor text or NULL, the id of a user
-- $10 notes of the actor text or NULL · $11 only visits of this facility, a key or NULL
WITH
-- The visits. A visit that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.source, a.status, a.appointment_date, a.start_time
    FROM appointments a WHERE a.id = ANY ($6) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The slots of the visits, which are locked after the visits; FOR UPDATE, because appointment_id is unique, and a change
-- of a unique column waits for those who hold the row FOR KEY SHARE.
slots AS MATERIALIZED (
    SELECT s.* FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) ORDER BY s.id FOR UPDATE SKIP LOCKED
),
-- Visits whose slot another session has locked. Both the visit and the slot are skipped.
slot_locked AS MATERIALIZED (
    SELECT s.appointment_id AS id FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) AND s.id NOT IN (SELECT id FROM slots)
),
-- Visits and slots are joined before the rule, because the planner expects few due visits, and would compare each of
-- them with every slot.
pairs AS MATERIALIZED (
    SELECT a.*, s.id AS slot_id, s.doctor_id AS slot_doctor, s.is_blocked AS slot_blocked,
           {slot_day} AS slot_day, {slot_start} AS slot_start, {slot_end} AS slot_end
    FROM locked a LEFT JOIN slots s ON s.appointment_id = a.id
    WHERE a.id NOT IN (SELECT id FROM slot_locked)
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT visits.*, COALESCE($1 < visits.slot_ends_at, false) AS release,
           -- A slot during an absence of the doctor is blocked for it when it becomes free.
           CASE WHEN $1 < visits.slot_ends_at
                THEN (SELECT x.id::text {absences}
                      AND absence.begins_at < visits.slot_ends_at AND absence.ends_at > visits.slot_starts_at
                      ORDER BY absence.begins_at, x.id LIMIT 1) END AS leave
    FROM (
        SELECT a.id, a.facility_id, a.patient_id, a.status, visit.day, visit.start_time, {doctor} AS doctor, visit.starts_at,
               wait.timeout_minutes, visit.day < visit.today AS late, tz.zone,
               (visit.day + 1)::timestamp AT TIME ZONE tz.zone AS day_ends_at, a.slot_id, a.slot_doctor, a.slot_blocked,
               COALESCE((a.slot_day + a.slot_start) AT TIME ZONE tz.zone, visit.starts_at) AS slot_starts_at,
               COALESCE((a.slot_day + a.slot_end) AT TIME ZONE tz.zone,
                        visit.starts_at + make_interval(mins => wait.slot_length)) AS slot_ends_at
        FROM pairs a
        {due}
        AND (a.facility_id = $11 OR $11 IS NULL)
        ORDER BY a.id
    ) visits
),
-- The rows that were really changed; the following CTEs use only these.
marked AS (
    UPDATE appointments a SET status = 'NO_SHOW', updated_at = $1 FROM due
    WHERE a.id = due.id AND a.status = due.status
    RETURNING due.*
),
-- The slots that become free for other patients.
released AS (
    UPDATE doctor_slots s SET is_booked = false, appointment_id = NULL, is_blocked = m.leave IS NOT NULL
    FROM marked m WHERE s.id = m.slot_id AND s.appointment_id = m.id AND m.release
),
own_blocks AS (
    SELECT m.slot_id::text AS slot_id, m.leave AS absence_id, m.slot_doctor::text AS doctor_id,
           m.facility_id::text AS facility_id, m.slot_starts_at AS starts_at, m.slot_ends_at AS ends_at,
           m.slot_blocked AS was_blocked
    FROM marked m WHERE m.release AND m.slot_id IS NOT NULL AND m.leave IS NOT NULL
),
{own_blocks_recorded},
logged AS (
    INSERT INTO no_show_logs (appointment_id, reason, status_before, visit_start, slot_time, timeout_minutes,
                              triggered_at, slot_released, slot_released_at, slot_id, slot_blocked_before,
                              slot_blocked_after, created_by, notes, run_id)
    SELECT m.id::text, $8, m.status::text, m.day + m.start_time, m.starts_at, m.timeout_minutes, $1, m.release,
           CASE WHEN m.release THEN $1 END, CASE WHEN m.release THEN m.slot_id::text END,
           CASE WHEN m.release THEN m.slot_blocked END,
           CASE WHEN m.release AND m.slot_id IS NOT NULL THEN m.leave IS NOT NULL END, $9, $10,
           CASE WHEN $8 = 'AUTO_TIMEOUT' THEN $7 END
    FROM marked m
),
-- One notice for each log row and channel; its key consists of the visit and $7. A patient who called gets none. An SMS
-- names neither patient nor doctor nor service, because anyone who holds the phone may read it.
staged AS (
    SELECT 'PATIENT' AS recipient_kind, m.patient_id::text AS recipient_id, NULL::text AS address, notice.channel,
           'MISSED_APPOINTMENT' AS type, 'NORMAL' AS priority, 'Missed appointment' AS title, notice.body,
           jsonb_build_object('appointment_id', m.id::text, 'starts_at', m.starts_at) AS metadata,
           notice.placeholders, 'appointment' AS entity, m.id::text AS entity_id, m.facility_id::text AS facility_id,
           concat_ws(':', 'no_show', m.id::text, $7) AS episode,
           notice.channel = 'SMS' AND p.sms_opt_out AS suppressed, m.day_ends_at AS expires_at,
           $1 AS staged_at, CASE WHEN $8 = 'AUTO_TIMEOUT' THEN $7 END AS run_id
    FROM marked m JOIN patients p ON p.id = m.patient_id
    -- A person may mark a visit that has not begun, which the patient has not missed yet.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.starts_at <= $1
                    THEN format('You missed your %s appointment', {start})
                    ELSE format('You were marked as a no-show for your appointment of %s',
                                {start_of_day}) END AS text,
               jsonb_build_object('appointment_id', m.id::text, 'start', {start}, 'day', {start_of_day})
                   || CASE WHEN m.starts_at <= $1 THEN '{{}}' ELSE '{{"form": "AHEAD"}}'::jsonb END AS placeholders
    ) AS beginning
    CROSS JOIN LATERAL (VALUES
        ('IN_APP', format('%s with Dr. %s. Please contact the clinic to book a new time.', beginning.text, m.doctor),
         beginning.placeholders || jsonb_build_object('doctor', m.doctor)),
        ('SMS', format('%s. Please call the clinic to book a new time.', beginning.text), beginning.placeholders)
    ) AS notice (channel, body, placeholders)
    WHERE NOT m.late AND $8 <> 'PATIENT_CALLED' AND (notice.channel = 'IN_APP' OR {has_phone})
),
{outbox}
SELECT (SELECT count(*) FROM marked) AS marked,
       (SELECT count(*) FROM marked WHERE release) AS slots_released,
       (SELECT count(*) FROM marked WHERE release AND slot_id IS NOT NULL) AS slot_rows_released,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       (SELECT count(*) FROM notified WHERE status = 'SUPPRESSED') AS notices_suppressed,
       (SELECT count(*) FROM marked WHERE late AND $8 <> 'PATIENT_CALLED') AS notices_expired,
       {skipped_columns}
