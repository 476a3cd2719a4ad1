-- An outbox that has been delivered for two years: :rows messages that were sent, 20,000 of them within the last day
-- whatever their number is; and the logs of what they are about.
-- psql variables: rows
\set ON_ERROR_STOP on
INSERT INTO facilities (name, time_zone, country) SELECT 'Facility ' || n, 'America/New_York', 'US' FROM generate_series(1, 20) n;
INSERT INTO doctors (facility_id, first_name, last_name, slot_duration_minutes)
SELECT n, 'Ada', 'Stone ' || n, 15 FROM generate_series(1, 20) n;
INSERT INTO patients (mrn, first_name, last_name, phone)
SELECT 'M' || n, 'Pat', 'Doe ' || n, '+1212' || 5550000 + n % 10000 FROM generate_series(1, 60000) n;

-- It is filled without its indexes, which are built after it: that takes a third of the time.
CREATE TEMP TABLE later AS
SELECT pg_get_indexdef(x.indexrelid) AS statement, x.indexrelid::regclass::text AS name
FROM pg_index x LEFT JOIN pg_constraint c ON c.conindid = x.indexrelid
WHERE x.indrelid IN ('notifications'::regclass, 'no_show_logs'::regclass) AND c.oid IS NULL;
SELECT format('DROP INDEX %s', name) FROM later \gexec

-- Of ten, five are SMS to patients, which the provider says have arrived, two are e-mails, and three are in the
-- application.
INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body, placeholders, entity,
                           entity_id, dedupe_key, status, created_at, sent_at, facility_id, attempts, sending_at,
                           sending_run, provider_id, provider_status, delivered_at)
SELECT CASE WHEN kind = 'SMS' THEN 'PATIENT' ELSE 'USER' END, (1 + n * 7919 % 60000)::text, kind,
       CASE WHEN kind = 'SMS' THEN 'MISSED_APPOINTMENT' ELSE 'TICKET_ESCALATED' END, 'NORMAL', 'You missed your visit',
       'You missed your visit of today. Please call us to book another one.',
       jsonb_build_object('visit', n, 'date', '2026-03-02', 'time', '09:00'), 'appointment', n::text, 'BENCH:' || n,
       'SENT', at, at, (1 + n % 20)::text, CASE WHEN kind = 'IN_APP' THEN 0 ELSE 1 END,
       CASE WHEN kind <> 'IN_APP' THEN at END, CASE WHEN kind <> 'IN_APP' THEN gen_random_uuid() END,
       CASE WHEN kind = 'SMS' THEN 'SM' || md5(n::text) END, CASE WHEN kind = 'SMS' THEN 'delivered' END,
       CASE WHEN kind = 'SMS' THEN at + interval '1 minute' END
FROM generate_series(1::bigint, :rows) n
CROSS JOIN LATERAL (
    SELECT (ARRAY ['SMS', 'IN_APP', 'SMS', 'EMAIL', 'SMS', 'IN_APP', 'SMS', 'EMAIL', 'SMS', 'IN_APP'])[1 + n % 10] AS kind,
           CASE WHEN n > :rows - 20000 THEN now() - (:rows - n) * interval '4 seconds'
                ELSE now() - interval '1 day' - (:rows - n) * (interval '730 days' / :rows) END AS at
) x;

-- An SMS is about a missed visit, whose log says that the patient was told.
INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at, slot_released,
                          notification_sent)
SELECT n.entity_id, 'AUTO_TIMEOUT', n.created_at, 15, n.created_at, false, true FROM notifications n
WHERE n.channel = 'SMS';

SELECT statement FROM later \gexec
VACUUM (ANALYZE);
CHECKPOINT;
