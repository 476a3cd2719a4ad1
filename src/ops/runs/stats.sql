-- Returns the totals of each lane, of the runs that are there and of those that were deleted; and how many of the
-- COMPLETED ones took how long.
-- $1 job_name or job_name-lane text, or NULL
WITH
-- The runs that are there, and what prune kept of the others, which has the same columns.
parts AS (
    SELECT q.* FROM (
{totals}
    ) q
    UNION ALL
    SELECT t.job_name, t.lane, t.completed, t.failed, t.interrupted, t.skipped, t.items_processed, t.items_failed, t.timed,
           t.duration_ms, t.duration_min_ms, t.duration_max_ms, t.first_started_at, t.last_started_at, t.succeeded_at,
           t.failed_at
    FROM cron_job_run_totals t
),
durations AS (
    SELECT q.* FROM (
{durations}
    ) q
    UNION ALL
    SELECT d.job_name, d.lane, d.bucket, d.runs FROM cron_job_run_durations d
),
buckets AS (
    SELECT d.job_name, d.lane, d.bucket, sum(d.runs)::bigint AS runs FROM durations d GROUP BY d.job_name, d.lane, d.bucket
),
histograms AS (
    SELECT b.job_name, b.lane, jsonb_agg(jsonb_build_array(b.bucket, b.runs) ORDER BY b.bucket) AS histogram
    FROM buckets b GROUP BY b.job_name, b.lane
)
SELECT p.job_name, p.lane, sum(p.completed)::bigint AS completed, sum(p.failed)::bigint AS failed,
       sum(p.interrupted)::bigint AS interrupted, sum(p.skipped)::bigint AS skipped,
       LEAST(sum(p.items_processed), 9e18)::bigint AS items_processed,
       LEAST(sum(p.items_failed), 9e18)::bigint AS items_failed,
       LEAST(round(sum(p.duration_ms) / NULLIF(sum(p.timed), 0)), 9e18)::bigint AS average_ms,
       min(p.duration_min_ms) AS min_ms, max(p.duration_max_ms) AS max_ms,
       min(p.first_started_at) AS first_started_at, max(p.last_started_at) AS last_started_at,
       max(p.succeeded_at) AS succeeded_at, max(p.failed_at) AS failed_at, h.histogram
FROM parts p
LEFT JOIN histograms h ON h.job_name = p.job_name AND h.lane = p.lane
WHERE $1 IS NULL OR $1 IN (p.job_name, concat_ws('-', p.job_name, NULLIF(p.lane, '')))
GROUP BY p.job_name, p.lane, h.histogram
ORDER BY p.job_name, p.lane
