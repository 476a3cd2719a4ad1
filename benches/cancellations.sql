-- Visits of a group of clinics for the benchmark of `notify-cancellations`. psql variables: due, how many were cancelled
-- since the last run; there are nineteen more visits for each, a part of them cancelled earlier and in the ledger. as_of,
-- the instant of the run.
SET session_replication_role = replica;
INSERT INTO facilities (name, time_zone)
SELECT 'F' || n, (ARRAY ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles'])[1 + n % 4]
FROM generate_series(1, 20) n;
-- One doctor of ten has no login; the receptionists are told instead.
INSERT INTO users (facility_id, name, email, role)
SELECT 1 + n % 20, 'U', 'u' || n || '@example.org', CASE WHEN n < 500 THEN 'DOCTOR' ELSE 'RECEPTIONIST' END
FROM generate_series(0, 539) n;
INSERT INTO notification_preferences (user_id, in_app, email) SELECT id, true, id % 4 = 0 FROM users;
INSERT INTO doctors (facility_id, user_id, first_name, last_name, slot_duration_minutes)
SELECT u.facility_id, CASE WHEN u.id % 10 > 0 THEN u.id END, 'Ada', 'Stone ' || u.id, 15
FROM users u WHERE u.role = 'DOCTOR' ORDER BY u.id;
INSERT INTO doctor_absences (doctor_id, first_day, last_day)
SELECT d.id, (:'as_of'::date + 7 * n)::date, (:'as_of'::date + 7 * n + (d.id % 5)::int)::date
FROM doctors d CROSS JOIN generate_series(-20, 3) n WHERE d.id % 10 = 1;
INSERT INTO patients (mrn, first_name, last_name, phone)
SELECT 'M' || n, 'Pat', 'Doe ' || n, '+1555' || 1000000 + n FROM generate_series(1, 60000) n;
INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
SELECT at, at, 'BEGAN' FROM (SELECT :'as_of'::timestamptz - interval '200 days' AS at) began;
-- Of twenty visits one was cancelled lately, one earlier and lies ahead, four were cancelled in the past.
INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status, cancelled_at)
SELECT d.facility_id, d.id, 1 + n * 7 % 60000, :'as_of'::date + CASE WHEN kind < 4 THEN hashint4(n) & 31 + 1 ELSE -10 - (hashint4(n) & 511) END,
       time '08:00' + make_interval(mins => 15 * (hashint4(-n) & 31)),
       CASE WHEN kind < 2 OR kind BETWEEN 4 AND 7 THEN 'CANCELLED' WHEN kind < 4 THEN 'SCHEDULED' ELSE 'COMPLETED' END,
       CASE WHEN kind = 0 THEN :'as_of'::timestamptz - make_interval(secs => n % 120)
            WHEN kind = 1 OR kind BETWEEN 4 AND 7 THEN :'as_of'::timestamptz - interval '1 day' END
FROM generate_series(0, 20 * :due - 1) n
CROSS JOIN LATERAL (SELECT n % 20 AS kind) what
JOIN doctors d ON d.id = 1 + n / 20 % 500
ORDER BY hashint4(n);
INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome)
SELECT a.id::text, a.appointment_date + a.start_time, a.cancelled_at, a.cancelled_at + interval '1 minute', 'TOLD'
FROM appointments a WHERE a.cancelled_at < :'as_of'::timestamptz - interval '1 hour' ORDER BY a.cancelled_at, a.id;
INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
SELECT doctor_id, appointment_date, start_time, start_time + interval '15 minutes', true, id
FROM appointments WHERE status <> 'CANCELLED' OR cancelled_at > :'as_of'::timestamptz - interval '1 hour'
ORDER BY appointment_date, doctor_id, start_time, id
ON CONFLICT DO NOTHING;
RESET session_replication_role;
VACUUM (ANALYZE);
