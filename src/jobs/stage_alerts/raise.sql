-- Raises alerts of one type for a batch of visits, and notifies the staff. Returns one row: counts and the skipped ids.
-- $1 to $8 are the parameters of waiting.part.sql · $9 ids of visits, keys · $10 the type text · $11 run id uuid
-- $12 only visits of this facility, a key or NULL
WITH
-- The visits. A visit that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.patient_id, a.status, a.appointment_date, a.start_time, a.checked_in_at,
           a.vitals_recorded_at
    FROM appointments a WHERE a.id = ANY ($9) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT a.id, a.facility_id, own.start AS visit_start, d.user_id AS doctor_user_id,
           format('Patient %s %s (%s)', {first_name}, {last_name}, {mrn}) AS patient,
           format(CASE alert.type
                      WHEN 'NO_VITALS' THEN 'checked in at %s but vitals not recorded.'
                      WHEN 'NO_DOCTOR' THEN 'vitals done but doctor not seen patient.'
                      ELSE 'has waited %2$s minutes.' END,
                  {checked_in_at}, floor(EXTRACT(epoch FROM $1 - visit.checked_in_at) / 60)) AS news,
           jsonb_build_object('appointment_id', a.id::text, 'checked_in_at', {checked_in_at},
                              'minutes', floor(EXTRACT(epoch FROM $1 - visit.checked_in_at) / 60)) AS placeholders
    FROM locked a
    JOIN patients p ON p.id = a.patient_id
    {waiting}
    {due}
    AND alert.type = $10 AND (a.facility_id = $12 OR $12 IS NULL)
),
-- The recipients: the facility's nurses for NO_VITALS, the doctor for NO_DOCTOR, those staff of the facility who deal
-- with alerts for WAITING_TOO_LONG; where there is none of them the HOSPITAL_ADMINs of the facility and of all
-- facilities, who deal with alerts too. Each is told as they prefer; an e-mail does not name the patient.
concerned AS MATERIALIZED (
    SELECT due.id AS visit, due.facility_id, due.visit_start, due.patient, due.news, due.placeholders,
           u.id AS user_id, notice.channel
    FROM due
    JOIN users u ON u.active AND (($10 = 'NO_DOCTOR' AND u.id = due.doctor_user_id)
                                  OR ($10 = 'NO_VITALS' AND u.facility_id = due.facility_id AND u.role = 'NURSE')
                                  OR ($10 = 'WAITING_TOO_LONG' AND u.facility_id = due.facility_id
                                      AND u.role::text IN ('NURSE', 'RECEPTIONIST', 'DOCTOR', 'HOSPITAL_ADMIN')))
    {channels}
    WHERE notice.wanted
),
-- As text, because the application's type of the role need not have that name.
admins AS MATERIALIZED (
    SELECT u.id, u.facility_id, notice.channel FROM users u
    {channels}
    WHERE u.active AND u.role::text = 'HOSPITAL_ADMIN' AND notice.wanted
),
recipients AS MATERIALIZED (
    SELECT visit, facility_id, visit_start, patient, news, placeholders, user_id, channel FROM concerned
    UNION ALL
    SELECT due.id, due.facility_id, due.visit_start, due.patient, due.news, due.placeholders, u.id, u.channel
    FROM due JOIN admins u ON u.facility_id IS NULL OR u.facility_id = due.facility_id
    WHERE due.id NOT IN (SELECT visit FROM concerned)
),
-- Who is told in the application is told at once, who is told by e-mail when a provider has accepted that.
raised AS (
    INSERT INTO stage_alerts (appointment_id, alert_type, visit_start, message, triggered_at, run_id, told_at)
    SELECT due.id::text, $10, due.visit_start, concat_ws(' ', due.patient, due.news), $1, $11,
           CASE WHEN due.id IN (SELECT r.visit FROM recipients r WHERE r.channel = 'IN_APP') THEN $1 END
    FROM due ORDER BY due.id
),
staged AS (
    SELECT 'USER' AS recipient_kind, r.user_id::text AS recipient_id, NULL::text AS address, r.channel,
           'STAGE_ALERT_' || $10 AS type, 'HIGH' AS priority,
           CASE $10 WHEN 'NO_VITALS' THEN 'Vitals not recorded' WHEN 'NO_DOCTOR' THEN 'Patient waits for the doctor'
                   ELSE 'Patient waits too long' END AS title,
           concat_ws(' ', CASE r.channel WHEN 'IN_APP' THEN r.patient ELSE 'A patient' END, r.news) AS body,
           jsonb_build_object('appointment_id', r.visit::text, 'alert_type', $10) AS metadata,
           r.placeholders || CASE r.channel WHEN 'IN_APP' THEN jsonb_build_object('patient', r.patient) ELSE '{{}}' END
               AS placeholders,
           'appointment' AS entity, r.visit::text AS entity_id, r.facility_id::text AS facility_id,
           concat_ws(':', 'stage_alert', r.visit::text, $10, to_char(r.visit_start, 'YYYY-MM-DD"T"HH24:MI:SS'))
               AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, $1 AS staged_at, $11 AS run_id
    FROM recipients r
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT due.id, format('the alert %s was raised, but nobody was told: %s', $10,
                          CASE $10 WHEN 'NO_VITALS' THEN 'the facility has no active NURSE'
                                  WHEN 'NO_DOCTOR' THEN 'the doctor has no active user'
                                  ELSE 'the facility has no active NURSE, RECEPTIONIST or DOCTOR' END
                          || ', and there is no active HOSPITAL_ADMIN of it') AS message
    FROM due WHERE due.id NOT IN (SELECT visit FROM recipients)
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM due) AS raised,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column},
       {skipped_columns}
