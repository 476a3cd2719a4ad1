-- Returns the runs of each lane, in order: the runs since an instant, and at least its last ten. A run that
-- began in the future is none of them.
-- $1 job_name of each lane text[] · $2 lane of each lane text[] · $3 the instant of each lane timestamptz[]
SELECT l.number, r.id, r.status, r.source, r.started_at, r.completed_at, r.scheduled_for, r.duration_ms,
       r.items_processed, r.items_failed, r.error_code, r.host
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS l (job_name, lane, since, number)
CROSS JOIN LATERAL (
    SELECT LEAST(l.since, (SELECT min(started_at) FROM (
        SELECT r.started_at FROM cron_job_runs r WHERE r.job_name = l.job_name AND r.lane = l.lane AND {has_passed}
        ORDER BY r.started_at DESC LIMIT 10) recent)) AS first
) seen
JOIN cron_job_runs r ON r.job_name = l.job_name AND r.lane = l.lane AND r.started_at >= seen.first AND {has_passed}
ORDER BY l.number, r.started_at, r.id
