-- A group of clinics on the morning after a hard night: :absences doctors on leave for ten days, each with 50 slots a
-- day; half of the leaves are emergencies, with 20 visits each. As many doctors more are at work.
-- psql variables: absences, an even number · as_of, an instant before the first slot
\set ON_ERROR_STOP on
SET session_replication_role = replica;

INSERT INTO facilities (name, time_zone)
SELECT 'Facility ' || n,
       (ARRAY ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'Europe/London'])[1 + n % 5]
FROM generate_series(1, 20) n;

INSERT INTO users (facility_id, name, role) SELECT id, 'Admin ' || id, 'HOSPITAL_ADMIN' FROM facilities;

INSERT INTO doctors (facility_id, first_name, last_name, slot_duration_minutes)
SELECT 1 + n % 20, 'Ada', 'Stone ' || n, 15 FROM generate_series(1, 2 * :absences) n;

INSERT INTO doctor_absences (doctor_id, type, first_day, last_day)
SELECT d.id, CASE WHEN d.id % 2 = 0 THEN 'EMERGENCY' ELSE 'ANNUAL_LEAVE' END, local.day + 1, local.day + 10
FROM doctors d CROSS JOIN LATERAL (SELECT (:'as_of'::timestamptz AT TIME ZONE 'UTC')::date AS day) local
WHERE d.id <= :absences
UNION ALL
-- The leaves of some years behind them.
SELECT d.id, 'ANNUAL_LEAVE', local.day - 30 - 45 * n, local.day - 25 - 45 * n
FROM doctors d CROSS JOIN generate_series(0, 19) n
CROSS JOIN LATERAL (SELECT (:'as_of'::timestamptz AT TIME ZONE 'UTC')::date AS day) local;

INSERT INTO patients (mrn, first_name, last_name, phone)
SELECT 'M' || n, 'Pat', 'Doe ' || n, CASE WHEN n % 10 <> 3 THEN '+1555' || 1000000 + n END
FROM generate_series(1, 60000) n;

INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
SELECT d.id, local.day + n, time '08:00' + k * interval '10 minutes', time '08:00' + (k + 1) * interval '10 minutes'
FROM doctors d CROSS JOIN generate_series(1, 10) n CROSS JOIN generate_series(0, 49) k
CROSS JOIN LATERAL (SELECT (:'as_of'::timestamptz AT TIME ZONE 'UTC')::date AS day) local;

-- Two visits a day of each doctor.
INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
SELECT d.facility_id, d.id, 1 + s.id * 7 % 60000, s.slot_date, s.start_time
FROM doctor_slots s JOIN doctors d ON d.id = s.doctor_id
WHERE s.start_time IN ('09:00', '14:00');

UPDATE doctor_slots s SET is_booked = true, is_blocked = true, appointment_id = a.id
FROM appointments a
WHERE a.doctor_id = s.doctor_id AND a.appointment_date = s.slot_date AND a.start_time = s.start_time;

RESET session_replication_role;
VACUUM (FULL, ANALYZE);
