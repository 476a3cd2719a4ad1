-- Returns why runs of each lane of the schedule failed, each code with the redacted message of its last run.
-- $1 beginning timestamptz · $2 end timestamptz · $3 job_name of each lane of the schedule text[] · $4 its lane text[]
SELECT l.number, r.error_code, count(*) AS runs, max(r.started_at) AS last_at,
       (array_agg(r.error_message ORDER BY r.started_at DESC))[1] AS message
FROM cron_job_runs r
JOIN unnest($3::text[], $4::text[]) WITH ORDINALITY AS l (job_name, lane, number)
    ON l.job_name = r.job_name AND l.lane = r.lane
WHERE r.started_at >= $1 AND r.started_at < $2 AND r.status = 'FAILED'
GROUP BY l.number, r.error_code
ORDER BY l.number, count(*) DESC, r.error_code
