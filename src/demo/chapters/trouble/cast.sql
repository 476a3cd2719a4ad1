-- A third facility with ten doctors, none of whose patients came: four visits at 17:00, three at 17:20, three at 17:40.
INSERT INTO facilities (id, name, time_zone, no_show_after_minutes)
OVERRIDING SYSTEM VALUE VALUES (3, 'Lakeside, Chicago', 'America/Chicago', 15);

INSERT INTO users (id, facility_id, name, role)
OVERRIDING SYSTEM VALUE
VALUES (251, 3, 'Desk of Lakeside', 'RECEPTIONIST'), (252, 3, 'Admin of Lakeside', 'HOSPITAL_ADMIN'),
       (253, NULL, 'Admin of the group', 'HOSPITAL_ADMIN');

INSERT INTO doctors (id, facility_id, first_name, last_name, slot_duration_minutes)
OVERRIDING SYSTEM VALUE
SELECT 60 + n, 3, 'Doctor', (60 + n)::text, 60 FROM generate_series(1, 10) n;

INSERT INTO patients (id, mrn, first_name, last_name, phone)
OVERRIDING SYSTEM VALUE
SELECT 9100 + n, format('MRN-%s', 9100 + n), 'Octavian', 'Oakenshaw', format('+1 312 555 01%s', lpad(n::text, 2, '0'))
FROM generate_series(1, 10) n;

INSERT INTO appointments (id, facility_id, doctor_id, patient_id, appointment_date, start_time, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT 8000 + n, 3, 60 + n, 9100 + n, {day}, CASE WHEN n <= 4 THEN time '17:00' WHEN n <= 7 THEN '17:20' ELSE '17:40' END,
       {now} - interval '9 days', {now} - interval '9 days'
FROM generate_series(1, 10) n;

INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked, appointment_id)
SELECT a.doctor_id, a.appointment_date, a.start_time, a.start_time + interval '1 hour', true, true, a.id
FROM appointments a WHERE a.facility_id = 3;

-- What somebody was told long ago, and nobody needs any more.
INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id, dedupe_key, status,
                           sent_at, created_at)
VALUES ('USER', '251', 'IN_APP', 'LAB_READY', 'Results', 'They are there.', 'patient', '9101', 'LAB_READY:2010', 'SENT',
        '2010-01-04T15:00Z', '2010-01-04T15:00Z');
