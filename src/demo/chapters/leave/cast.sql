-- Four doctors: one has an emergency tomorrow, one is on holiday, the hours of one were changed, and a patient of the
-- last calls off a visit of tomorrow.
INSERT INTO users (id, facility_id, name, role)
OVERRIDING SYSTEM VALUE
VALUES (231, 1, 'Doctor 31', 'DOCTOR'), (232, 1, 'Doctor 32', 'DOCTOR'), (233, 1, 'Doctor 33', 'DOCTOR'),
       (234, 1, 'Doctor 34', 'DOCTOR');

INSERT INTO doctors (id, facility_id, user_id, first_name, last_name, slot_duration_minutes)
OVERRIDING SYSTEM VALUE
VALUES (31, 1, 231, 'Lior', 'Hasting', 30), (32, 1, 232, 'Signe', 'Valderby', 30),
       (33, 1, 233, 'Casper', 'Ravnholt', 30), (34, 1, 234, 'Yolanda', 'Quist', 30);

INSERT INTO patients (id, mrn, first_name, last_name, phone)
OVERRIDING SYSTEM VALUE
VALUES (9011, 'MRN-9011', 'Delphine', 'Dunmarrow', '+1 212 555 0111'),
       (9012, 'MRN-9012', 'Eustace', 'Eldergrove', '+1 212 555 0112'),
       (9013, 'MRN-9013', 'Fenella', 'Farthingale', '+1 212 555 0113'),
       (9014, 'MRN-9014', 'Gideon', 'Gallowglen', '+1 212 555 0114');

INSERT INTO appointments (id, facility_id, doctor_id, patient_id, appointment_date, start_time, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT 7000 + n, 1, 30 + n, 9010 + n, {day} + 1, '10:00', {now} - interval '20 days', {now} - interval '20 days'
FROM generate_series(1, 4) n;

INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked, appointment_id)
SELECT 30 + n, {day} + 1, '10:00', '10:30', true, true, 7000 + n FROM generate_series(1, 4) n;
INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
SELECT 30 + n, {day} + 1, '11:00', '11:30' FROM generate_series(1, 2) n;

INSERT INTO doctor_absences (id, doctor_id, type, first_day, last_day)
OVERRIDING SYSTEM VALUE
VALUES (41, 31, 'EMERGENCY', {day} + 1, {day} + 1), (42, 32, 'ANNUAL_LEAVE', {day} + 1, {day} + 5);

-- An hour ago the morning was taken out of that day's hours.
INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, created_at, updated_at)
VALUES (33, EXTRACT(isodow FROM {day} + 1)::int, '13:00', '17:00', {now} - interval '200 days',
        {now} - interval '1 hour');
