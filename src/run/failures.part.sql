-- The failures in a row of a lane `l`, as `f`: the runs that failed since its last success, by when they ended. One that
-- was interrupted is none. {but} is a run that is no success yet, or NULL.
JOIN cron_job_runs f
    ON f.job_name = l.job_name AND f.lane = l.lane AND f.status = 'FAILED' AND f.error_code <> 'INTERRUPTED'
   AND f.completed_at > COALESCE((SELECT max(s.completed_at) FROM cron_job_runs s
                                  WHERE s.job_name = l.job_name AND s.lane = l.lane AND s.status = 'COMPLETED'
                                    AND s.id IS DISTINCT FROM {but}), '-infinity')
