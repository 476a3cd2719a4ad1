-- A join that adds the failures in a row of a lane `l` as `f`: the runs that failed since the lane's last success, by
-- their end. An interrupted run is no failure. What ended in the future ended
-- before the clock was put back: it neither counts nor ends the streak.
-- The caller provides the relation l (job_name, lane), and {except}: the id of a run whose success does not end the
-- streak, or NULL. It begins with JOIN, so it follows `FROM l`; the caller continues with a join or with WHERE.
JOIN cron_job_runs f
    ON f.job_name = l.job_name AND f.lane = l.lane AND f.status = 'FAILED' AND f.error_code <> 'INTERRUPTED'
   AND {failure_has_passed}
   AND f.completed_at > COALESCE((SELECT max(s.completed_at) FROM cron_job_runs s
                                  WHERE s.job_name = l.job_name AND s.lane = l.lane AND s.status = 'COMPLETED'
                                    AND {success_has_passed}
                                    AND s.id IS DISTINCT FROM {except}), '-infinity')
