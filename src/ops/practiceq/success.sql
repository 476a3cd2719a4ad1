-- The number of syncs of the last 7 days, by status.
-- $1 now timestamptz
SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'partial_success') AS partial_success,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM sync_logs
WHERE started_at > $1 - interval '7 days' AND started_at <= $1 AND status <> 'in_progress'
