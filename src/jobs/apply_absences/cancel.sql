-- Cancels a batch of visits for an emergency, frees and blocks their slots, tells the patients, and the desk of those
-- who are in the building. Returns one row: counts and the skipped ids.
-- $1 to $6 are the parameters of the rule · $7 ids of visits, keys · $8 id of the run uuid
WITH
-- The visits. A visit that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.source, a.status, a.appointment_date, a.start_time
    FROM appointments a WHERE a.id = ANY ($7) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The slots of the visits, which are locked after the visits; FOR UPDATE, because appointment_id is unique.
slots AS MATERIALIZED (
    SELECT s.* FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) ORDER BY s.id FOR UPDATE SKIP LOCKED
),
-- Visits whose slot another session has locked. Both the visit and the slot are skipped.
slot_locked AS MATERIALIZED (
    SELECT s.appointment_id AS id FROM doctor_slots s
    WHERE s.appointment_id = ANY (ARRAY(SELECT id FROM locked)) AND s.id NOT IN (SELECT id FROM slots)
),
pairs AS MATERIALIZED (
    SELECT a.* FROM locked a WHERE a.id NOT IN (SELECT id FROM slot_locked)
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT DISTINCT ON (a.id)
           a.id, a.facility_id, a.patient_id, a.status, visit.day, visit.start_time, visit.starts_at, span.ends_at,
           {doctor} AS doctor, d.id::text AS doctor_id, d.facility_id::text AS home, x.id::text AS absence_id, tz.zone
    {visits} AND {cancels} AND {on_leave}
    ORDER BY a.id, leave.begins_at, x.id
),
-- The rows that were really changed; the following CTEs use only these.
cancelled AS (
    UPDATE appointments a
    SET status = 'CANCELLED', updated_at = $1, {cancelled_at}
        notes = CASE WHEN a.notes IS NULL OR a.notes::text = '' THEN '{note}' ELSE a.notes || E'\n{note}' END
    FROM due
    WHERE a.id = due.id AND a.status = due.status
    RETURNING due.*
),
freed AS (
    UPDATE doctor_slots s SET is_booked = false, appointment_id = NULL, is_blocked = true
    FROM cancelled c JOIN slots l ON l.appointment_id = c.id
    WHERE s.id = l.id AND s.appointment_id = c.id
    RETURNING s.id, c.absence_id, c.doctor_id, c.home, l.is_blocked AS was_blocked, c.ends_at,
              LEAST(COALESCE(({slot_day} + {slot_start}) AT TIME ZONE c.zone, c.starts_at), c.starts_at) AS starts_at
),
-- Also where no slot was freed: what was cancelled for it is to be known when it is withdrawn.
known AS (
    INSERT INTO absence_effects (absence_id, facility_id, doctor_id, seen_at)
    SELECT DISTINCT c.absence_id, c.home, c.doctor_id, $1 FROM cancelled c
    ON CONFLICT (absence_id) DO NOTHING
),
own_blocks AS (
    SELECT f.id::text AS slot_id, f.absence_id, f.doctor_id, f.home AS facility_id, f.starts_at, f.ends_at, f.was_blocked
    FROM freed f
),
{own_blocks_recorded},
noted AS (
    INSERT INTO absence_visits (absence_id, appointment_id, doctor_id, outcome, visit_start, starts_at, ends_at, told,
                                noted_at, run_id)
    SELECT c.absence_id, c.id::text, c.doctor_id, 'CANCELLED', c.day + c.start_time, c.starts_at, c.ends_at,
           EXISTS (SELECT FROM patients p WHERE p.id = c.patient_id), $1, $8
    FROM cancelled c ORDER BY c.id
),
-- So notify-cancellations knows that the visit is dealt with.
handled AS (
    INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, run_id)
    SELECT c.id::text, c.day + c.start_time, $1, $1, 'BY_ABSENCE', $8 FROM cancelled c ORDER BY c.id
    ON CONFLICT (appointment_id) WHERE ended_at IS NULL AND appointment_id IS NOT NULL DO NOTHING
),
-- Who is in the building.
present AS MATERIALIZED (
    SELECT c.id, c.facility_id, c.absence_id, c.day, c.start_time, c.zone, c.doctor,
           COALESCE((SELECT format('%s %s (%s)', {first_name}, {last_name}, {mrn}) FROM patients p
                     WHERE p.id = c.patient_id), 'of visit ' || c.id::text) AS patient
    FROM cancelled c WHERE c.status = 'CHECKED_IN'
),
-- The desk of the facility; where there is none of them the HOSPITAL_ADMINs of the facility and of all facilities, who
-- may read names too. As text, because the application's type of the role need not have those names.
staff AS MATERIALIZED (
    SELECT u.id, u.facility_id, u.role::text = 'HOSPITAL_ADMIN' AS is_admin, notice.channel FROM users u
    {channels}
    WHERE u.active AND u.role::text IN ('RECEPTIONIST', 'HOSPITAL_ADMIN') AND notice.wanted
      AND EXISTS (SELECT FROM present)
),
desk AS MATERIALIZED (
    SELECT near.* FROM (
        SELECT p.*, u.id AS user_id, u.channel, u.is_admin, bool_and(u.is_admin) OVER (PARTITION BY p.id) AS only_admins
        FROM present p
        JOIN staff u ON u.facility_id = p.facility_id OR (u.is_admin AND u.facility_id IS NULL)
    ) near
    WHERE near.is_admin = near.only_admins
),
-- One notice for each visit that was cancelled and channel; its key has the run, since a visit that is booked again and
-- cancelled again is told again. An SMS names neither patient nor doctor, because anyone who holds the phone may read it.
staged AS (
    SELECT 'PATIENT' AS recipient_kind, c.patient_id::text AS recipient_id, NULL::text AS address, notice.channel,
           'DOCTOR_UNAVAILABLE' AS type, 'HIGH' AS priority, 'Appointment Cancelled - Doctor Unavailable' AS title,
           notice.body, jsonb_build_object('appointment_id', c.id::text, 'starts_at', c.starts_at) AS metadata,
           notice.placeholders, 'appointment' AS entity, c.id::text AS entity_id, c.facility_id::text AS facility_id,
           concat_ws(':', 'doctor_unavailable', c.id::text, $8) AS episode,
           notice.channel = 'SMS' AND p.sms_opt_out AS suppressed, c.ends_at AS expires_at, $1 AS staged_at,
           $8 AS run_id
    FROM cancelled c JOIN patients p ON p.id = c.patient_id
    CROSS JOIN LATERAL (
        SELECT jsonb_build_object('appointment_id', c.id::text, 'day', {day}, 'start', {start}) AS placeholders
    ) beginning
    CROSS JOIN LATERAL (VALUES
        ('IN_APP', format('Your appointment with Dr. %s on %s at %s has been cancelled due to doctor unavailability. '
                          'Please reschedule.', c.doctor, {day}, {start}),
         beginning.placeholders || jsonb_build_object('doctor', c.doctor)),
        ('SMS', format('Your appointment on %s at %s has been cancelled. Please call the clinic to book a new time.',
                       {day}, {start}), beginning.placeholders)
    ) AS notice (channel, body, placeholders)
    WHERE notice.channel = 'IN_APP' OR {has_phone}
    UNION ALL
    SELECT 'USER', c.user_id::text, NULL, c.channel, 'DOCTOR_UNAVAILABLE_CHECKED_IN', 'HIGH',
           'Patient is here, doctor unavailable',
           format('%s is checked in for %s on %s, but %s. The visit was cancelled: please speak to the patient.',
                  CASE c.channel WHEN 'IN_APP' THEN 'Patient ' || c.patient ELSE 'The patient of visit ' || c.id::text END,
                  {start}, {day},
                  CASE c.channel WHEN 'IN_APP' THEN format('Dr. %s is away', c.doctor) ELSE 'the doctor is away' END),
           jsonb_build_object('appointment_id', c.id::text, 'absence_id', c.absence_id),
           jsonb_build_object('appointment_id', c.id::text, 'day', {day}, 'start', {start})
               || CASE c.channel WHEN 'IN_APP' THEN jsonb_build_object('patient', c.patient, 'doctor', c.doctor)
                       ELSE '{{}}' END,
           'appointment', c.id::text, c.facility_id::text, concat_ws(':', 'doctor_unavailable_checked_in', c.id::text, $8),
           false, (c.day + 1)::timestamp AT TIME ZONE c.zone, $1, $8
    FROM desk c
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT p.id, 'the visit of a patient who is checked in was cancelled, but nobody was told: the facility has no '
                 'active RECEPTIONIST, and there is no active HOSPITAL_ADMIN of it' AS message
    FROM present p WHERE p.id NOT IN (SELECT id FROM desk)
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM cancelled) AS cancelled,
       (SELECT count(*) FROM freed) AS freed,
       (SELECT count(*) FROM cancelled WHERE status = 'CHECKED_IN') AS checked_in,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       (SELECT count(*) FROM notified WHERE status = 'SUPPRESSED') AS notices_suppressed,
       {undeliverable_column},
       {skipped_columns}
