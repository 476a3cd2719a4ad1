-- The runs of each job and lane added up, in the columns of cron_job_run_totals. A SELECT.
-- {runs} is a relation with all columns of cron_job_runs. A run that is at work is counted as none of the outcomes.
SELECT x.job_name, {lane} AS lane,
       count(*) FILTER (WHERE x.status = 'COMPLETED') AS completed,
       count(*) FILTER (WHERE x.status = 'FAILED' AND x.error_code <> 'INTERRUPTED') AS failed,
       count(*) FILTER (WHERE x.status = 'FAILED' AND x.error_code = 'INTERRUPTED') AS interrupted,
       count(*) FILTER (WHERE x.status = 'SKIPPED') AS skipped,
       sum(x.items_processed) AS items_processed, sum(x.items_failed) AS items_failed,
       count(x.duration_ms) FILTER (WHERE x.status = 'COMPLETED') AS timed,
       COALESCE(sum(x.duration_ms) FILTER (WHERE x.status = 'COMPLETED'), 0) AS duration_ms,
       min(x.duration_ms) FILTER (WHERE x.status = 'COMPLETED') AS duration_min_ms,
       max(x.duration_ms) FILTER (WHERE x.status = 'COMPLETED') AS duration_max_ms,
       min(x.started_at) AS first_started_at, max(x.started_at) AS last_started_at,
       max(x.completed_at) FILTER (WHERE x.status = 'COMPLETED') AS succeeded_at,
       max(x.completed_at) FILTER (WHERE x.status = 'FAILED' AND x.error_code <> 'INTERRUPTED') AS failed_at
FROM {runs} x
GROUP BY 1, 2
