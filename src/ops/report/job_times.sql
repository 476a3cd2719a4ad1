-- Returns the runs of each lane of the schedule by hour, day or week.
-- $1 beginning timestamptz · $2 end timestamptz · $3 job_name of each lane of the schedule text[] · $4 its lane text[]
-- $5 hour, day or week text · $6 the zone of the schedule text
SELECT l.number, date_trunc($5, r.started_at AT TIME ZONE $6) AS at,
       count(*) FILTER (WHERE r.status = 'COMPLETED') AS succeeded,
       count(*) FILTER (WHERE r.status = 'FAILED' AND r.error_code <> 'INTERRUPTED') AS failed,
       count(*) FILTER (WHERE r.status = 'SKIPPED' OR r.error_code = 'INTERRUPTED') AS skipped,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY r.duration_ms) FILTER (WHERE r.status = 'COMPLETED') AS p50_ms,
       max(r.duration_ms) FILTER (WHERE r.status = 'COMPLETED') AS max_ms,
       LEAST(sum(r.items_processed), 9e18)::bigint AS items
FROM cron_job_runs r
JOIN unnest($3::text[], $4::text[]) WITH ORDINALITY AS l (job_name, lane, number)
    ON l.job_name = r.job_name AND l.lane = r.lane
WHERE r.started_at >= $1 AND r.started_at < $2
GROUP BY l.number, 2
ORDER BY l.number, 2
