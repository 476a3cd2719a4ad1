-- Records the cancellations of a batch of visits, releases their slots, tells the doctors. Returns one row: counts and
-- the skipped ids.
-- $1 to $5 are the parameters of the rule · $6 ids of visits, keys · $7 run id uuid
-- $8 only of this facility, a key or NULL
WITH
-- The visits. A visit that another session has locked is left to the next run: it may be booked again at this moment.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.source, a.status, a.appointment_date, a.start_time,
           a.cancelled_at, a.cancelled_by
    FROM appointments a WHERE a.id = ANY ($6) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The slots that still have the visits; FOR UPDATE, because appointment_id is unique. A slot that was booked again has
-- another visit, so it is none of them.
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
-- them with every slot. A visit to which an application gives two slots is there twice.
pairs AS MATERIALIZED (
    SELECT a.*, s.id AS slot_id, s.doctor_id AS slot_doctor, s.is_blocked AS slot_blocked,
           {slot_day} + {slot_start} AS slot_starts, {slot_day} + {slot_end} AS slot_ends,
           max({slot_day} + {slot_end}) OVER (PARTITION BY a.id) AS last_end
    FROM locked a LEFT JOIN slots s ON s.appointment_id = a.id
    WHERE a.id NOT IN (SELECT id FROM slot_locked)
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.patient_id, a.slot_id, a.slot_doctor, a.slot_blocked, d.user_id AS doctor_user,
           {doctor} AS doctor,
           visit.day + visit.start_time AS visit_start, visit.starts_at, tz.zone, said.of_clinic, seen.id AS seen,
           judged.*,
           COALESCE(a.slot_starts AT TIME ZONE tz.zone, visit.starts_at) AS slot_starts_at,
           COALESCE(a.slot_ends AT TIME ZONE tz.zone, judged.ends_at) AS slot_ends_at
    FROM pairs a
    {judged}
    {due}
    AND (a.facility_id = $8 OR $8 IS NULL)
    ORDER BY a.id
),
-- The cancellations that the ledger does not have.
fresh AS MATERIALIZED (
    SELECT DISTINCT ON (due.id) due.*, CASE WHEN due.is_last_minute THEN 'HIGH' ELSE 'NORMAL' END AS priority
    FROM due WHERE due.seen IS NULL ORDER BY due.id
),
-- The doctor of a visit of which somebody is to be told, as they prefer.
doctors_told AS MATERIALIZED (
    SELECT f.*, u.id AS user_id, notice.channel, 'TOLD' AS outcome
    FROM fresh f
    JOIN users u ON u.id = f.doctor_user AND u.active
    {channels}
    WHERE f.untold IS NULL AND notice.wanted
),
-- Where the doctor cannot be told, the receptionists of the facility are. As text, because the application's type of
-- the role need not have that name.
recipients AS MATERIALIZED (
    SELECT t.* FROM doctors_told t
    UNION ALL
    SELECT f.*, u.id, notice.channel, 'TOLD_STAND_INS'
    FROM fresh f
    JOIN users u ON u.facility_id = f.facility_id AND u.active AND u.role::text = 'RECEPTIONIST'
    {channels}
    WHERE f.untold IS NULL AND notice.wanted AND f.id NOT IN (SELECT id FROM doctors_told)
),
-- From here on no CTE is joined with another, because the planner, which expects one visit, would compare each with each.
-- IS TRUE keeps it from making a join of IN.
outcomes AS MATERIALIZED (
    SELECT f.*, CASE WHEN f.untold IS NOT NULL THEN f.untold
                     WHEN f.id IN (SELECT id FROM doctors_told) THEN 'TOLD'
                     WHEN f.id IN (SELECT id FROM recipients) THEN 'TOLD_STAND_INS' ELSE 'NOBODY' END AS outcome
    FROM fresh f
),
-- A visit that was booked and cancelled again since: its row has ended.
ended AS (
    UPDATE visit_cancellations x SET ended_at = $1 FROM fresh f
    WHERE x.appointment_id = f.id::text AND x.ended_at IS NULL
    RETURNING x.id
),
-- The count makes it come after those that have ended. Another lane may have recorded the cancellation meanwhile: the
-- following CTEs use only what was inserted.
recorded AS (
    INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, run_id)
    SELECT o.id::text, o.visit_start, COALESCE(o.of_clinic, $1), $1, o.outcome, $7 FROM outcomes o
    WHERE (SELECT count(*) FROM ended) >= 0
    ORDER BY o.id
    ON CONFLICT (appointment_id) WHERE ended_at IS NULL AND appointment_id IS NOT NULL DO NOTHING
    RETURNING appointment_id
),
-- A visit that was cancelled before the ledger began is known as such, also where another session holds it in the run
-- with which the ledger begins; a later run releases its slot.
held AS (
    INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, run_id)
    SELECT a.id::text, visit.day + visit.start_time, COALESCE(said.of_clinic, $1), $1, 'BEFORE', $7
    FROM appointments a
    {cancelled}
    {due}
    AND (a.facility_id = $8 OR $8 IS NULL)
    AND $5 IS NULL AND COALESCE(said.of_clinic < $1, true) AND seen.id IS NULL
    AND a.id = ANY ($6) AND a.id NOT IN (SELECT id FROM pairs)
    ON CONFLICT (appointment_id) WHERE ended_at IS NULL AND appointment_id IS NOT NULL DO NOTHING
),
handled AS MATERIALIZED (
    SELECT o.id, o.outcome, o.is_last_minute
    FROM outcomes o WHERE (o.id::text IN (SELECT appointment_id FROM recorded)) IS TRUE
    UNION ALL
    SELECT DISTINCT due.id, NULL::text, false FROM due WHERE due.seen IS NOT NULL
),
-- The slots that become free for other patients. A slot during an absence of the doctor is blocked for it when it becomes
-- free.
freed AS MATERIALIZED (
    SELECT due.id, due.slot_id, due.slot_doctor, due.slot_blocked, due.slot_starts_at, due.slot_ends_at,
           (SELECT x.id::text {absences}
            AND absence.begins_at < due.slot_ends_at AND absence.ends_at > due.slot_starts_at
            ORDER BY absence.begins_at, x.id LIMIT 1) AS leave
    FROM due WHERE due.slot_id IS NOT NULL
),
released AS (
    UPDATE doctor_slots s SET is_booked = false, appointment_id = NULL, is_blocked = freed.leave IS NOT NULL
    FROM freed WHERE s.id = freed.slot_id AND s.appointment_id = freed.id
    RETURNING freed.leave IS NOT NULL AS block
),
own_blocks AS (
    SELECT freed.slot_id::text AS slot_id, freed.leave AS absence_id, d.id::text AS doctor_id,
           d.facility_id::text AS facility_id, freed.slot_starts_at AS starts_at, freed.slot_ends_at AS ends_at,
           freed.slot_blocked AS was_blocked
    FROM freed JOIN doctors d ON d.id = freed.slot_doctor
    WHERE freed.leave IS NOT NULL
),
{own_blocks_recorded},
-- One notice for each cancellation, recipient and channel. An e-mail names neither patient nor doctor.
staged AS (
    SELECT 'USER' AS recipient_kind, r.user_id::text AS recipient_id, NULL::text AS address, r.channel,
           'VISIT_CANCELLED' AS type, r.priority,
           CASE WHEN r.is_last_minute THEN 'Last-Minute Cancellation' ELSE 'Appointment Cancelled' END AS title,
           format('%s cancelled their %s appointment on %s',
                  CASE r.channel WHEN 'IN_APP' THEN who.patient ELSE 'A patient' END, {start}, {day})
               || CASE WHEN r.channel = 'IN_APP' AND r.outcome = 'TOLD_STAND_INS' THEN format(' with Dr. %s', r.doctor)
                       ELSE '' END AS body,
           jsonb_build_object('appointment_id', r.id::text, 'starts_at', r.starts_at, 'cancelled_at', r.cancelled_at,
                              'hours_until_start', round(EXTRACT(epoch FROM r.starts_at - r.cancelled_at) / 3600, 2),
                              'isLastMinute', r.is_last_minute) AS metadata,
           jsonb_build_object('appointment_id', r.id::text, 'start', {start}, 'day', {day})
               || CASE WHEN r.is_last_minute THEN '{{"form": "LAST_MINUTE"}}'::jsonb ELSE '{{}}' END
               || CASE r.channel WHEN 'IN_APP' THEN jsonb_build_object('patient', who.patient, 'doctor', r.doctor)
                                 ELSE '{{}}' END AS placeholders,
           'appointment' AS entity, r.id::text AS entity_id, r.facility_id::text AS facility_id,
           concat_ws(':', 'visit_cancelled', r.id::text, $7) AS episode, false AS suppressed, r.ends_at AS expires_at,
           $1 AS staged_at, $7 AS run_id
    FROM recipients r
    LEFT JOIN patients p ON p.id = r.patient_id
    CROSS JOIN LATERAL (
        SELECT COALESCE(NULLIF(concat_ws(' ', {first_name}, {last_name}), ''), 'A patient') AS patient
    ) who
    WHERE (r.id::text IN (SELECT appointment_id FROM recorded)) IS TRUE
    ORDER BY r.id, r.user_id
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT h.id, 'the cancellation is recorded, but nobody was told: its doctor has no active user who wants to be '
                 'told, and the facility has no active RECEPTIONIST' AS message
    FROM handled h WHERE h.outcome = 'NOBODY'
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM handled) AS handled,
       (SELECT count(*) FROM released) AS slots_released,
       (SELECT count(*) FROM released WHERE block) AS slots_blocked,
       (SELECT count(*) FROM handled WHERE outcome = 'TOLD') AS told,
       (SELECT count(*) FROM handled WHERE outcome = 'TOLD_STAND_INS') AS told_stand_ins,
       (SELECT count(*) FROM handled WHERE outcome IN ('TOLD', 'TOLD_STAND_INS') AND is_last_minute) AS last_minute,
       (SELECT count(*) FROM handled WHERE outcome = 'BEFORE') AS before,
       (SELECT count(*) FROM handled WHERE outcome = 'PAST') AS past,
       (SELECT count(*) FROM handled WHERE outcome = 'BY_DOCTOR') AS by_doctor,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column},
       {skipped_columns}
