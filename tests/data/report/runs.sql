SET search_path = rounds, public;
SET TimeZone = 'UTC';

-- Runs of all lanes of the schedule. On 14 March nothing ran for a quarter of an hour, and one job failed in the morning.
INSERT INTO cron_job_runs (id, job_name, lane, status, source, started_at, heartbeat_at, deadline_at, completed_at,
                           duration_ms, items_processed, items_failed, error_code, error_message, host, version, metadata)
SELECT gen_random_uuid(), job, lane, o.status, 'cron', at, at, at, at + make_interval(secs => ms / 1000.0),
       CASE WHEN o.status = 'SKIPPED' THEN 0 ELSE ms END, CASE WHEN o.status = 'COMPLETED' THEN k % 5 ELSE 0 END, 0,
       CASE o.status WHEN 'FAILED' THEN '57P01' WHEN 'SKIPPED' THEN 'ALREADY_RUNNING' END,
       CASE o.status WHEN 'FAILED' THEN 'the server is being shut down <& restarted>' END, 'h', 'v',
       CASE WHEN lane = 'incremental' THEN '{"arguments": {"requests_per_day": 500}}'::jsonb ELSE '{}' END
FROM (
    SELECT l.job, l.lane, at, k, 90 + (k * 7919) % 400 + CASE WHEN k % 173 = 0 THEN 9000 ELSE 0 END + l.base AS ms
    FROM (VALUES ('mark-no-shows', '', interval '5 minutes', timestamptz '2026-01-31 00:00:02Z', 100),
                 ('stage-alerts', '', '5 minutes', '2026-01-31 00:00:02Z', 60),
                 ('notify-cancellations', '', '2 minutes', '2026-01-31 00:00:02Z', 20),
                 ('apply-absences', '', '2 minutes', '2026-01-31 00:00:02Z', 20),
                 ('flag-schedule-conflicts', '', '15 minutes', '2026-01-31 00:00:02Z', 300),
                 ('escalate-sla', '', '15 minutes', '2026-01-31 00:00:02Z', 40),
                 ('monitor-ticket-sla', '', '15 minutes', '2026-01-31 00:00:02Z', 40),
                 ('escalate-tickets', '', '30 minutes', '2026-01-31 00:07:02Z', 40),
                 ('advance-billing', 'pending-payment', '7 days', '2026-02-02 08:00:02Z', 5000),
                 ('advance-billing', 'paid', '7 days', '2026-02-05 08:00:02Z', 5000),
                 ('refresh-npi', '', '7 days', '2026-02-03 08:00:02Z', 240000),
                 ('sync-practiceq', 'full', '1 day', '2026-01-31 10:00:02Z', 90000),
                 ('sync-practiceq', 'incremental', '15 minutes', '2026-01-31 00:00:02Z', 900),
                 ('deliver-notifications', 'sms', '1 minute', '2026-01-31 00:00:02Z', 80),
                 ('deliver-notifications', 'email', '1 minute', '2026-01-31 00:00:02Z', 80),
                 ('deliver-notifications', 'webhook', '1 minute', '2026-01-31 00:00:02Z', 80),
                 ('prune', '', '1 day', '2026-01-31 09:30:02Z', 2000)) l (job, lane, step, first, base)
    CROSS JOIN LATERAL generate_series(l.first, timestamptz '2026-03-31 20:00Z', l.step) WITH ORDINALITY AS g (at, k)
) q
CROSS JOIN LATERAL (SELECT CASE WHEN job = 'mark-no-shows' AND at BETWEEN '2026-03-14 12:00Z' AND '2026-03-14 13:00Z'
                                THEN 'FAILED' WHEN k % 1201 = 0 AND job <> 'prune' THEN 'SKIPPED' ELSE 'COMPLETED' END AS status) o
WHERE NOT (at BETWEEN '2026-03-14 15:00Z' AND '2026-03-14 15:16Z')
  AND (job <> 'sync-practiceq' OR lane = 'full'
       OR (at AT TIME ZONE 'America/Denver')::time BETWEEN time '05:55' AND time '20:05');
INSERT INTO cron_job_runs (id, job_name, lane, status, source, started_at, heartbeat_at, deadline_at, completed_at,
                           duration_ms, host, version)
SELECT gen_random_uuid(), 'sync-practiceq', 'patient:CANARY-' || n, 'COMPLETED', 'manual', t, t, t, t, 700, 'h', 'v'
FROM (SELECT n, timestamptz '2026-03-20 15:00Z' + n * interval '1 hour' AS t FROM generate_series(1, 9) n) q;
UPDATE rounds_migrations SET applied_on = '2026-01-30T00:00:00Z';
ANALYZE;
