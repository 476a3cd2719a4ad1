-- Returns the runs of a period added up: of each lane of the schedule, and of all others of a job together, such as those
-- that a person kept to a facility or a patient.
-- $1 beginning timestamptz · $2 end timestamptz · $3 job_name of each lane of the schedule text[] · $4 its lane text[]
SELECT l.number, r.job_name, count(*) AS runs,
       count(*) FILTER (WHERE r.status = 'COMPLETED') AS succeeded,
       count(*) FILTER (WHERE r.status = 'FAILED' AND r.error_code <> 'INTERRUPTED') AS failed,
       count(*) FILTER (WHERE r.status = 'FAILED' AND r.error_code = 'INTERRUPTED') AS interrupted,
       count(*) FILTER (WHERE r.status = 'SKIPPED') AS skipped,
       LEAST(sum(r.items_processed), 9e18)::bigint AS items_processed,
       LEAST(sum(r.items_failed), 9e18)::bigint AS items_failed,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY r.duration_ms) FILTER (WHERE r.status = 'COMPLETED') AS p50_ms,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY r.duration_ms) FILTER (WHERE r.status = 'COMPLETED') AS p95_ms,
       max(r.duration_ms) FILTER (WHERE r.status = 'COMPLETED') AS max_ms
FROM cron_job_runs r
LEFT JOIN unnest($3::text[], $4::text[]) WITH ORDINALITY AS l (job_name, lane, number)
    ON l.job_name = r.job_name AND l.lane = r.lane
WHERE r.started_at >= $1 AND r.started_at < $2
GROUP BY l.number, r.job_name
ORDER BY l.number NULLS LAST, r.job_name
