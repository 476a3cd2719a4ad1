-- Stages an SMS to each of :messages patients who have missed a visit.
-- psql variables: messages
\set ON_ERROR_STOP on
WITH
visits AS (
    INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status)
    SELECT 1 + p.id % 20, 1 + p.id % 20, p.id, current_date, '09:00', 'NO_SHOW'
    FROM (SELECT p.id FROM patients p ORDER BY random() LIMIT :messages) p
    RETURNING id, facility_id, patient_id
),
logs AS (
    INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at, slot_released)
    SELECT v.id::text, 'AUTO_TIMEOUT', now(), 15, now(), false FROM visits v
)
INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body, placeholders, entity,
                           entity_id, dedupe_key, status, created_at, facility_id)
SELECT 'PATIENT', v.patient_id::text, 'SMS', 'MISSED_APPOINTMENT', 'NORMAL', 'You missed your visit',
       'You missed your 09:00 appointment. Please call the clinic to book a new time.', '{"start": "09:00"}',
       'appointment', v.id::text, gen_random_uuid()::text, 'PENDING', now(), v.facility_id::text
FROM visits v;
