-- Marks a batch of visits, frees their slots, logs why, tells the patients. One row of counts comes back.
-- $1 .. $5 as in the rule · $6 ids of visits bigint[] · $7 run id uuid
WITH
-- The visits. One that the clinic's application holds right now is left to the next run.
locked AS MATERIALIZED (
    SELECT a.* FROM appointments a WHERE a.id = ANY ($6) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
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
-- The rule again, on what the rows say now that they are locked.
due AS MATERIALIZED (
    SELECT visits.*, COALESCE($1 < visits.slot_ends_at, false) AS release
    FROM (
        SELECT a.id, a.patient_id, a.start_time, d.last_name AS doctor, visit.starts_at, visit.timeout_minutes,
               a.appointment_date < visit.today AS late,
               (a.appointment_date + 1)::timestamp AT TIME ZONE tz.zone AS day_ends_at,
               s.id AS slot_id,
               COALESCE((s.slot_date + s.start_time) AT TIME ZONE tz.zone, visit.starts_at) AS slot_starts_at,
               COALESCE((s.slot_date + s.end_time) AT TIME ZONE tz.zone,
                        visit.starts_at + make_interval(mins => d.slot_duration_minutes)) AS slot_ends_at
        FROM locked a
        LEFT JOIN slots s ON s.appointment_id = a.id
        {due}
        AND a.id NOT IN (SELECT id FROM held)
    ) visits
),
marked AS (
    UPDATE appointments a SET status = 'NO_SHOW', updated_at = $1 FROM due
    WHERE a.id = due.id AND a.status IN ('SCHEDULED', 'CONFIRMED')
    RETURNING a.id
),
-- Free for another patient, unless the doctor is away: then it stays closed.
released AS (
    UPDATE doctor_slots s
    SET is_booked = false, appointment_id = NULL,
        is_blocked = EXISTS (SELECT FROM doctor_absences x
                             WHERE x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
                               AND x.starts_at < due.slot_ends_at AND x.ends_at > due.slot_starts_at)
    FROM due WHERE s.id = due.slot_id AND s.appointment_id = due.id AND due.release
    RETURNING s.id
),
logged AS (
    INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at, slot_released,
                              slot_released_at, run_id)
    SELECT due.id, 'AUTO_TIMEOUT', due.starts_at, due.timeout_minutes, $1, due.release,
           CASE WHEN due.release THEN $1 END, $7
    FROM due JOIN marked USING (id) ORDER BY due.id
    RETURNING id, appointment_id, slot_released
),
-- The SMS may be read by anyone who holds the phone: no name, no doctor, no service.
staged AS (
    SELECT 'PATIENT' AS recipient_kind, due.patient_id AS recipient_id, notice.channel,
           'MISSED_APPOINTMENT' AS type, 'NORMAL' AS priority, 'Missed appointment' AS title, notice.body,
           jsonb_build_object('appointment_id', due.id, 'no_show_log_id', logged.id) AS metadata,
           'appointment' AS entity, due.id::text AS entity_id, 'no_show_logs:' || logged.id AS episode,
           notice.channel = 'SMS' AND p.sms_opt_out AS suppressed, due.day_ends_at AS expires_at,
           $1 AS staged_at, $7 AS run_id
    FROM logged JOIN due ON due.id = logged.appointment_id JOIN patients p ON p.id = due.patient_id
    CROSS JOIN LATERAL (VALUES
        ('IN_APP', format('You missed your %s appointment with Dr. %s. Please contact the clinic to book a new time.',
                          to_char(due.start_time, 'HH24:MI'), due.doctor)),
        ('SMS', format('You missed your %s appointment. Please call the clinic to book a new time.',
                       to_char(due.start_time, 'HH24:MI')))
    ) AS notice (channel, body)
    WHERE NOT due.late AND (notice.channel = 'IN_APP' OR p.phone IS NOT NULL)
),
{outbox}
SELECT (SELECT count(*) FROM marked) AS marked,
       (SELECT count(*) FROM logged WHERE slot_released) AS slots_released,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       (SELECT count(*) FROM notified WHERE status = 'SUPPRESSED') AS notices_suppressed,
       (SELECT count(*) FROM due WHERE late) AS notices_expired,
       ARRAY(SELECT id FROM unnest($6) AS ids (id)
             WHERE id NOT IN (SELECT id FROM locked) AND EXISTS (SELECT FROM appointments a WHERE a.id = ids.id)
             UNION ALL SELECT id FROM held) AS locked,
       ARRAY(SELECT id FROM unnest($6) AS ids (id)
             WHERE id NOT IN (SELECT id FROM due) AND id NOT IN (SELECT id FROM held)
               AND (id IN (SELECT id FROM locked) OR NOT EXISTS (SELECT FROM appointments a WHERE a.id = ids.id))
             ) AS changed
