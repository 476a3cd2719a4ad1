-- A clinic with so many visits, runs and notifications: `window` of each in the thirty days before the end of March 2026,
-- the others in the years before.
-- psql variables: rows, window.
SET search_path = rounds, public;
INSERT INTO facilities (name, time_zone) VALUES ('F', 'America/New_York');
INSERT INTO doctors (facility_id, first_name, last_name) SELECT 1, 'A', 'B' FROM generate_series(1, 40);
INSERT INTO patients (mrn, first_name, last_name) SELECT 'M' || n, 'P', 'Q' FROM generate_series(1, 1000) n;

INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status, checked_in_at,
                          vitals_recorded_at)
SELECT 1, 1 + n % 40, 1 + n % 1000, at::date, make_time(8 + n % 10, 0, 0),
       CASE WHEN n % 20 = 0 THEN 'NO_SHOW' ELSE 'COMPLETED' END, CASE WHEN n % 20 > 0 THEN at END,
       CASE WHEN n % 20 > 0 THEN at + make_interval(secs => n % 1800) END
FROM (SELECT n, CASE WHEN n <= :rows - :window
                     THEN timestamptz '2026-02-28 14:00Z' - (:rows - :window - n) * interval '20 seconds'
                     ELSE timestamptz '2026-03-02 14:00Z' + (n - :rows + :window) * (interval '29 days' / :window) END AS at
      FROM generate_series(1, :rows) n) q;

INSERT INTO stage_alerts (appointment_id, alert_type, status, message, triggered_at, resolved_at, resolved_run_id)
SELECT a.id::text, 'NO_DOCTOR', 'RESOLVED', 'm', a.checked_in_at, a.checked_in_at + interval '20 minutes', gen_random_uuid()
FROM appointments a WHERE a.status = 'COMPLETED' AND a.id % 50 = 1 ORDER BY a.id;

INSERT INTO cron_job_runs (id, job_name, lane, status, source, started_at, heartbeat_at, deadline_at, completed_at,
                           duration_ms, items_processed, host, version)
SELECT gen_random_uuid(), job, lane, 'COMPLETED', 'cron', at, at, at, at + interval '1 second', n % 1000, 1, 'h', 'v'
FROM (SELECT n, (ARRAY['mark-no-shows', 'stage-alerts', 'notify-cancellations', 'apply-absences', 'deliver-notifications',
                       'deliver-notifications', 'deliver-notifications'])[1 + n % 7] AS job,
             (ARRAY['', '', '', '', 'sms', 'email', 'webhook'])[1 + n % 7] AS lane,
             CASE WHEN n <= :rows - :window
                  THEN timestamptz '2026-02-28 14:00Z' - (:rows - :window - n) * interval '10 seconds'
                  ELSE timestamptz '2026-03-02 14:00Z' + (n - :rows + :window) * (interval '29 days' / :window) END AS at
      FROM generate_series(1, :rows) n) q;

INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id, dedupe_key, status,
                           sent_at, created_at)
SELECT 'USER', '1', (ARRAY['IN_APP', 'SMS', 'EMAIL'])[1 + n % 3], 'T', 't', 'b', 'appointment', n, n, 'SENT', at, at
FROM (SELECT n, CASE WHEN n <= :rows - :window
                     THEN timestamptz '2026-02-28 14:00Z' - (:rows - :window - n) * interval '20 seconds'
                     ELSE timestamptz '2026-03-02 14:00Z' + (n - :rows + :window) * (interval '29 days' / :window) END AS at
      FROM generate_series(1, :rows) n) q;
VACUUM ANALYZE;
