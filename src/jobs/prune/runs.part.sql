-- The rule, over runs `x`: over for longer than runs are kept, and not the last success of its lane.
-- $1 runs that ended before then timestamptz · $2 skipped ones before then timestamptz
WHERE x.status <> 'RUNNING'
  AND x.completed_at < CASE x.status WHEN 'SKIPPED' THEN $2 ELSE $1 END
  AND (x.status <> 'COMPLETED'
       OR EXISTS (SELECT FROM cron_job_runs s
                  WHERE s.job_name = x.job_name AND s.lane = x.lane AND s.status = 'COMPLETED'
                    AND s.completed_at > x.completed_at))
