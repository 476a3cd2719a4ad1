-- Two facilities, their staff, and ten doctors. Everybody is invented.

INSERT INTO facilities (id, name, time_zone, no_show_after_minutes, waiting_alert_minutes)
OVERRIDING SYSTEM VALUE
VALUES (1, 'Harbor, New York', 'America/New_York', NULL, NULL),
       (2, 'Mesa, Denver', 'America/Denver', 10, 30);

INSERT INTO users (id, facility_id, name, role, active)
OVERRIDING SYSTEM VALUE
SELECT row_number() OVER (ORDER BY f.id, role, n), f.id, format('%s %s of %s', role, n, f.name), role,
       NOT (role = 'NURSE' AND n = 4)
FROM facilities f
CROSS JOIN (VALUES ('HOSPITAL_ADMIN', 1), ('SUPERVISOR', 1), ('RECEPTIONIST', 2), ('NURSE', 4), ('BILLING', 1))
    AS staff (role, heads)
CROSS JOIN LATERAL generate_series(1, staff.heads) n;

-- The sixth has no login, so no alert can reach that doctor.
WITH doctor (n, facility_id, first_name, last_name, minutes) AS (
    VALUES (1, 1, 'Iris', 'Calloway', 15), (2, 1, 'Theo', 'Marchetti', 15), (3, 1, 'Noor', 'Lindqvist', 10),
           (4, 1, 'Silas', 'Okonjo', 20), (5, 1, 'Greta', 'Fairbairn', 30), (6, 1, 'Ansel', 'Dovrak', 60),
           (7, 2, 'Maren', 'Tolliver', 10), (8, 2, 'Jonas', 'Whitcombe', 20), (9, 2, 'Paloma', 'Reyes', 30),
           (10, 2, 'Edda', 'Svenson', 45)
),
login AS (
    INSERT INTO users (id, facility_id, name, role)
    OVERRIDING SYSTEM VALUE
    SELECT 100 + n, facility_id, first_name || ' ' || last_name, 'DOCTOR' FROM doctor WHERE n <> 6
    RETURNING id
)
INSERT INTO doctors (id, facility_id, user_id, first_name, last_name, slot_duration_minutes)
OVERRIDING SYSTEM VALUE
SELECT d.n, d.facility_id, l.id, d.first_name, d.last_name, d.minutes
FROM doctor d LEFT JOIN login l ON l.id = 100 + d.n;

-- The script: the actions of each patient and doctor, and their times. The jobs know as little of it as in life.
CREATE TEMPORARY TABLE demo_script (
    appointment_id bigint PRIMARY KEY,
    checks_in_at   timestamptz,
    vitals_at      timestamptz,
    begins_at      timestamptz,
    completes_at   timestamptz,
    cancels_at     timestamptz
);

-- The second doctor of Denver was called away for the first hour; one visit at 08:00 had not been moved.
INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time, reason)
VALUES (8, {day}, {day}, '08:00', '09:00', 'called away');
