-- A clinic of sixty days before the end of March 2026, for pages that are looked at. Each text that a patient has is a
-- canary, which no report may show. The figures come of the numbers of the rows, not of chance.
SET search_path = rounds, public;
SET TimeZone = 'UTC';

INSERT INTO facilities (name, time_zone, country) VALUES ('Harbor Clinic', 'America/New_York', 'US'),
                                                         ('Mesa <b>Clinic</b>', 'America/Denver', 'US');
INSERT INTO users (facility_id, name, role) SELECT 1 + n % 2, 'User ' || n, 'DOCTOR' FROM generate_series(1, 18) n;
INSERT INTO doctors (facility_id, user_id, first_name, last_name, slot_duration_minutes)
SELECT 1 + n % 2, n, 'Ada' || n, CASE n WHEN 3 THEN 'O''Neil & <i>Sons</i>' ELSE 'Stone' END, 30
FROM generate_series(1, 18) n;
INSERT INTO patients (mrn, first_name, last_name, phone, email)
SELECT 'CANARY-MRN-' || n, 'CANARY-FIRST', 'CANARY-LAST', '+1555CANARY', 'CANARY@example.com' FROM generate_series(1, 50) n;

-- Visits: fewer on Saturdays, more no-shows early and late, and more before than of late.
INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status, checked_in_at,
                          vitals_recorded_at, notes)
SELECT 1 + d % 2, d, 1 + x % 50, day, make_time(hour, 30 * (x % 2), 0), v.status,
       CASE WHEN v.status <> 'NO_SHOW' THEN arrived END,
       CASE WHEN v.status <> 'NO_SHOW' THEN arrived + make_interval(secs => 120 + (x * 37) % 700 + 40 * abs(hour - 10)) END,
       'CANARY-NOTE'
FROM (SELECT day::date AS day, hour, d, (EXTRACT(doy FROM day)::int * 131 + hour * 17 + d * 29) AS x
      FROM generate_series(date '2026-01-31', '2026-03-31', '1 day') day, generate_series(8, 17) hour,
           generate_series(1, 18) d
      WHERE EXTRACT(isodow FROM day) < 6 OR (EXTRACT(isodow FROM day) = 6 AND hour < 12 AND d < 6)) q
CROSS JOIN LATERAL (SELECT CASE WHEN x % CASE WHEN day < '2026-03-02' THEN 14 WHEN hour IN (8, 17) THEN 10 ELSE 22 END = 0
                                THEN 'NO_SHOW' ELSE 'COMPLETED' END AS status,
                           (day + make_time(hour, 30 * (x % 2), 0)) AT TIME ZONE
                               CASE d % 2 WHEN 0 THEN 'America/New_York' ELSE 'America/Denver' END
                               - make_interval(mins => x % 12) AS arrived) v
WHERE x % 3 <> 0;

-- Alerts, of which some were acknowledged, some resolved by a run, and three are open.
INSERT INTO stage_alerts (appointment_id, alert_type, status, message, triggered_at, acknowledged_by, acknowledged_at,
                          resolved_at, resolved_run_id)
SELECT id::text, kind, CASE WHEN n % 97 = 0 THEN 'ACTIVE' ELSE 'RESOLVED' END, 'CANARY-MESSAGE', at,
       CASE WHEN n % 3 = 0 THEN '1' END, CASE WHEN n % 3 = 0 THEN at + make_interval(secs => 60 + n % 900) END,
       CASE WHEN n % 97 <> 0 THEN at + make_interval(secs => 900 + n % 1500) END,
       CASE WHEN n % 97 <> 0 THEN gen_random_uuid() END
FROM (SELECT a.id, row_number() OVER (ORDER BY a.id) AS n, a.checked_in_at + interval '10 minutes' AS at,
             (ARRAY['NO_VITALS', 'NO_DOCTOR', 'WAITING_TOO_LONG'])[1 + a.id % 3] AS kind
      FROM appointments a WHERE a.status = 'COMPLETED' AND a.id % 23 = 0) q;

INSERT INTO px_cases (facility_id, status, severity, description, due_at, escalation_level, escalated_at, created_at)
SELECT 1, CASE WHEN n % 4 > 0 THEN 'ESCALATED' ELSE 'OPEN' END, 'HIGH', 'CANARY-CASE',
       timestamptz '2026-03-31 20:00Z' + make_interval(hours => (n * 7) % 60 - 20), n % 4,
       CASE WHEN n % 4 > 0 THEN timestamptz '2026-03-30 20:00Z' END,
       timestamptz '2026-03-31 20:00Z' - make_interval(hours => n * n)
FROM generate_series(1, 34) n;
INSERT INTO tickets (number, title, status, priority, sla_due_at, created_at)
SELECT 'T' || n, 'CANARY-TITLE', 'OPEN', (ARRAY['URGENT', 'HIGH', 'MEDIUM', 'LOW'])[1 + n % 4],
       timestamptz '2026-03-31 20:00Z' + make_interval(hours => (n * 11) % 90 - 30),
       timestamptz '2026-03-31 20:00Z' - make_interval(hours => n * n / 3)
FROM generate_series(1, 61) n;

INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
SELECT 1, 1 + n % 50, 20, 900 + (n * 7919) % 9000 + 0.25 FROM generate_series(1, 310) n;
INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, created_at)
SELECT n::text, from_status, to_status, 'system',
       timestamptz '2026-02-02 08:00Z' + make_interval(days => (n % 57), hours => from_status)
FROM generate_series(1, 310) n, (VALUES (10, 15), (15, 20)) s (from_status, to_status) WHERE n % 5 > 0 OR to_status = 15;

INSERT INTO api_budgets (account) VALUES ('practiceq') ON CONFLICT DO NOTHING;
INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
SELECT 'practiceq', at, x % 40 = 0, 'appointments', gen_random_uuid()
FROM generate_series(timestamptz '2026-03-18 12:00Z', '2026-03-31 18:00Z', '4 minutes') WITH ORDINALITY AS r (at, x)
WHERE x % 7 <> 0 OR EXTRACT(day FROM at) = 24;

INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id, dedupe_key, status,
                           sent_at, created_at)
SELECT 'PATIENT', '1', channel, 'NO_SHOW', 'CANARY-TITLE', 'CANARY-BODY', 'appointment', n::text, channel || n, status,
       CASE WHEN status = 'SENT' THEN at END, at
FROM (SELECT n, channel, CASE WHEN channel = 'IN_APP' THEN 'SENT' WHEN n % 211 = 0 THEN 'FAILED'
                              WHEN n % 397 = 0 THEN 'UNCERTAIN' WHEN n % 17 = 0 THEN 'SUPPRESSED' ELSE 'SENT' END AS status,
             timestamptz '2026-01-31 12:00Z' + n * interval '40 minutes' AS at
      FROM generate_series(1, 2100) n, (VALUES ('IN_APP'), ('SMS'), ('EMAIL')) c (channel)) q;

INSERT INTO npi_files (name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2, inserted,
                       updated, unchanged, older, duplicates, deactivated, rejected, seconds, processed_at, run_id)
SELECT 'file' || n, CASE n WHEN 0 THEN 'MONTHLY' ELSE 'WEEKLY' END, 's' || n, 1, day - 6, day, 'h', rows, 0, rows, 0,
       CASE n WHEN 0 THEN rows ELSE 1200 + n END, CASE n WHEN 0 THEN 0 ELSE rows - 1200 - 2 * n END, 0, 0, 0, 31 * n, n, 60,
       day + interval '2 days', gen_random_uuid()
FROM (SELECT n, date '2026-02-01' + 7 * n AS day, CASE n WHEN 0 THEN 8412345 ELSE 31000 + 777 * n END AS rows
      FROM generate_series(0, 8) n) q;
