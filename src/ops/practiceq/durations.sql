-- The durations of the syncs of the last 30 days, by type.
-- $1 now timestamptz
SELECT sync_type, count(*) AS runs, avg(duration_ms)::double precision AS average_ms, min(duration_ms) AS min_ms,
       max(duration_ms) AS max_ms
FROM sync_logs
WHERE started_at > $1 - interval '30 days' AND started_at <= $1 AND status <> 'in_progress'
GROUP BY sync_type ORDER BY sync_type
