-- The WHERE clause for runs that ended long ago and are not the last success of their lane.
-- The caller provides the relation x, a row of cron_job_runs. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz · $2 the instant for skipped runs timestamptz
WHERE x.status <> 'RUNNING'
  AND x.completed_at < CASE x.status WHEN 'SKIPPED' THEN $2 ELSE $1 END
  AND (x.status <> 'COMPLETED'
       OR EXISTS (SELECT FROM cron_job_runs s
                  WHERE s.job_name = x.job_name AND s.lane = x.lane AND s.status = 'COMPLETED'
                    AND s.completed_at > x.completed_at))
