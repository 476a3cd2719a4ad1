-- Returns the lanes that schedulers started since an instant although the schedule does not have them.
-- $1 job_name of each lane of the schedule text[] · $2 its lane text[] · $3 the instant timestamptz
SELECT r.job_name, r.lane, count(*) AS runs, max(r.started_at) AS latest
FROM cron_job_runs r
WHERE r.started_at >= $3 AND r.source <> 'manual' AND {has_passed}
  AND NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS l (job_name, lane)
                  WHERE l.job_name = r.job_name AND l.lane = r.lane)
GROUP BY r.job_name, r.lane
ORDER BY r.job_name, r.lane
