-- A group of clinics on one morning: :visits visits, of which exactly :due are due as of :as_of, and the rest is what a
-- table of some years holds. The rows are the same each time.
-- psql variables: visits · due, at most a tenth of them · as_of, an instant at which it is day in all the zones below
\set ON_ERROR_STOP on
-- The rows are right by construction; three foreign keys a row need not be looked up.
SET session_replication_role = replica;

INSERT INTO facilities (name, time_zone, no_show_after_minutes)
SELECT 'Facility ' || n,
       (ARRAY ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'Europe/London'])[1 + n % 5],
       CASE WHEN n % 3 = 0 THEN 10 END
FROM generate_series(1, 20) n;

INSERT INTO doctors (facility_id, first_name, last_name, slot_duration_minutes)
SELECT 1 + n % 20, 'Ada', 'Stone ' || n, 15 FROM generate_series(0, 499) n;

-- One doctor of ten leaves at :as_of: visits of before are due, and the slots that they release are blocked. The others
-- have the leaves of some years behind them.
INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time)
SELECT d.id, local.now::date, local.now::date + 2, local.now::time
FROM doctors d JOIN facilities f ON f.id = d.facility_id
CROSS JOIN LATERAL (SELECT :'as_of'::timestamptz AT TIME ZONE f.time_zone AS now) local
WHERE d.id % 10 = 1
UNION ALL
SELECT d.id, local.day - 30 - 45 * n, local.day - 25 - 45 * n, NULL
FROM doctors d CROSS JOIN generate_series(0, 19) n
CROSS JOIN LATERAL (SELECT (:'as_of'::timestamptz AT TIME ZONE 'UTC')::date AS day) local;

INSERT INTO patients (mrn, first_name, last_name, date_of_birth, phone, sms_opt_out)
SELECT 'M' || n, 'Pat', 'Doe ' || n, date '1940-01-01' + n % 25000, CASE WHEN n % 10 <> 3 THEN '+1555' || 1000000 + n END,
       n % 20 = 1
FROM generate_series(1, 60000) n;

-- Visit n of a kind, its turn k within the kind and the doctor: where, when, and what became of it.
INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time, status,
                          checked_in_at, vitals_recorded_at, cancelled_at)
SELECT d.facility_id, CASE WHEN kind <> 'external' THEN d.id END, 1 + n * 7 % 60000,
       CASE kind WHEN 'external' THEN 'PRACTICEQ' ELSE 'LOCAL' END, CASE kind WHEN 'external' THEN 'X' || n END,
       visit.at::date, visit.at::time, status,
       CASE WHEN status IN ('CHECKED_IN', 'COMPLETED') THEN visit.at AT TIME ZONE f.time_zone END,
       CASE WHEN status = 'COMPLETED' THEN visit.at AT TIME ZONE f.time_zone + interval '5 minutes' END,
       CASE WHEN status = 'CANCELLED' THEN (visit.at - interval '1 day') AT TIME ZONE f.time_zone END
FROM generate_series(0, :visits - 1) n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n < :due AND n % 2 = 0 THEN 'due today' WHEN n < :due THEN 'due earlier'
                WHEN n % 100 < 2 THEN 'later today' WHEN n % 100 < 3 THEN 'external' WHEN n % 100 < 4 THEN 'here'
                WHEN n % 100 < 5 THEN 'forgotten' WHEN n % 100 < 20 THEN 'to come' ELSE 'past' END AS kind,
           CASE WHEN n < :due THEN n / 1000 ELSE n / 100 % 100 END AS k
) what
CROSS JOIN LATERAL (
    SELECT CASE kind WHEN 'here' THEN 'CHECKED_IN'
                     WHEN 'past' THEN CASE WHEN n % 100 < 25 THEN 'CANCELLED' WHEN n % 100 < 32 THEN 'NO_SHOW'
                                           ELSE 'COMPLETED' END
                     ELSE CASE WHEN n % 8 < 5 THEN 'SCHEDULED' ELSE 'CONFIRMED' END END AS status
) state
JOIN doctors d ON d.id = 1 + n / 2 % 500
JOIN facilities f ON f.id = d.facility_id
CROSS JOIN LATERAL (SELECT :'as_of'::timestamptz AT TIME ZONE f.time_zone AS now) local
CROSS JOIN LATERAL (
    SELECT CASE kind
               -- The first of a doctor's is due to the minute.
               WHEN 'due today' THEN local.now - make_interval(mins => 15 + 4 * k)
               WHEN 'external' THEN local.now - make_interval(mins => 15 + 4 * k)
               WHEN 'here' THEN local.now - make_interval(mins => 15 + 4 * k)
               WHEN 'later today' THEN local.now + make_interval(mins => 3 * k - 5)
               ELSE date_trunc('day', local.now) + make_interval(mins => 480 + 15 * (hashint4(n) & 31))
                    + make_interval(days => CASE kind WHEN 'due earlier' THEN -1 - k % 7
                                                      WHEN 'forgotten' THEN -9 - (hashint4(-n) & 255)
                                                      WHEN 'to come' THEN 1 + (hashint4(-n) & 63)
                                                      ELSE -1 - (hashint4(-n) & 1023) END)
           END AS at
) visit
-- In the order in which they were booked: up to nine weeks ahead.
ORDER BY visit.at::date - (hashint4(n) >> 8 & 63), n;

-- Four of five have a slot of an hour; two visits of one doctor at one time share none.
INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked, appointment_id)
SELECT doctor_id, appointment_date, start_time, start_time + interval '1 hour', true, true, id
FROM appointments
WHERE source = 'LOCAL' AND status <> 'CANCELLED' AND patient_id % 5 > 0
ORDER BY appointment_date, doctor_id, start_time, id
ON CONFLICT DO NOTHING;

RESET session_replication_role;
VACUUM ANALYZE;
