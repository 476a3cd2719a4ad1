-- Books all planned visits and slots, and writes the script.
-- $1 visits jsonb · $2 slots jsonb · $3 first names text[] · $4 last names text[]
WITH
visits AS MATERIALIZED (
    SELECT v.*, f.time_zone AS zone, v.day::timestamp AS midnight
    FROM jsonb_to_recordset($1::jsonb)
        AS v (id bigint, facility bigint, doctor bigint, external boolean, day date, start int, status text,
              phone boolean, sms_opt_out boolean, checks_in int, vitals int, begins int, completes int, cancels int)
    JOIN facilities f ON f.id = v.facility
),
-- A patient of its own for each visit.
people AS (
    INSERT INTO patients (id, mrn, first_name, last_name, date_of_birth, email, phone, sms_opt_out)
    OVERRIDING SYSTEM VALUE
    SELECT v.id + 4000, format('MRN-%s', v.id + 4000),
           ($3::text[])[(1 + v.id * 7 % cardinality($3::text[]))::int],
           ($4::text[])[(1 + (v.id * 11 + v.id / 24) % cardinality($4::text[]))::int],
           date '1935-01-01' + (v.id * 7919 % 29000)::int, format('patient-%s@example.org', v.id + 4000),
           -- Numbers that are kept for films; each visit has its own.
           CASE WHEN v.phone THEN format('+1 %s 555 01%s', (ARRAY [212, 303, 646, 719, 720, 917, 970])[1 + (v.id / 100) % 7],
                                         lpad((v.id % 100)::text, 2, '0')) END, v.sms_opt_out
    FROM visits v
),
booked AS (
    INSERT INTO appointments (id, facility_id, doctor_id, patient_id, source, external_id, appointment_date,
                              start_time, status, created_at, updated_at)
    OVERRIDING SYSTEM VALUE
    SELECT v.id, v.facility, v.doctor, v.id + 4000, CASE WHEN v.external THEN 'PRACTICEQ' ELSE 'LOCAL' END,
           CASE WHEN v.external THEN format('pq-%s', v.id) END, v.day, make_time(v.start / 60, v.start % 60, 0),
           v.status, (v.midnight - interval '9 days') AT TIME ZONE v.zone,
           (v.midnight - interval '2 days') AT TIME ZONE v.zone
    FROM visits v
),
-- Visits that the front desk settled on their day.
settled AS (
    INSERT INTO no_show_logs (appointment_id, reason, slot_time, triggered_at, slot_released, created_by)
    SELECT v.id::text, 'MANUAL_STAFF', (v.midnight + make_interval(mins => v.start)) AT TIME ZONE v.zone,
           (v.midnight + interval '18 hours') AT TIME ZONE v.zone, false, u.id::text
    FROM visits v
    JOIN LATERAL (SELECT min(id) AS id FROM users WHERE facility_id = v.facility AND role = 'RECEPTIONIST') u ON true
    WHERE v.status = 'NO_SHOW'
),
script AS (
    INSERT INTO demo_script (appointment_id, checks_in_at, vitals_at, begins_at, completes_at, cancels_at)
    SELECT v.id, (v.midnight + make_interval(mins => v.checks_in)) AT TIME ZONE v.zone,
           (v.midnight + make_interval(mins => v.vitals)) AT TIME ZONE v.zone,
           (v.midnight + make_interval(mins => v.begins)) AT TIME ZONE v.zone,
           (v.midnight + make_interval(mins => v.completes)) AT TIME ZONE v.zone,
           (v.midnight + make_interval(mins => v.cancels)) AT TIME ZONE v.zone
    FROM visits v
)
INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked, appointment_id)
SELECT s.doctor, s.day, make_time(s.start / 60, s.start % 60, 0),
       make_time(s.start / 60, s.start % 60, 0) + make_interval(mins => s.minutes), s.visit IS NOT NULL, s.blocked,
       s.visit
FROM jsonb_to_recordset($2::jsonb)
    AS s (doctor bigint, day date, start int, minutes int, visit bigint, blocked boolean)
