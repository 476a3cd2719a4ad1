-- How many COMPLETED runs of each job and lane took how long, in the columns of cron_job_run_durations, whose comment
-- says what a bucket is. A SELECT.
-- {runs} is a relation with all columns of cron_job_runs.
SELECT x.job_name, {lane} AS lane, 16 * digits.shift + (x.duration_ms >> digits.shift)::int AS bucket, count(*) AS runs
FROM {runs} x
CROSS JOIN LATERAL (SELECT GREATEST(length(ltrim(x.duration_ms::bit(64)::text, '0')) - 5, 0) AS shift) digits
WHERE x.status = 'COMPLETED' AND x.duration_ms IS NOT NULL
GROUP BY 1, 2, 3
