-- Returns whether a lane has ever completed a run, and the median of what its last eight completed runs did that did
-- something, or NULL. What lies in the future counts for nothing.
-- $1 job_name text · $2 lane text
SELECT EXISTS (SELECT FROM cron_job_runs r
               WHERE r.job_name = $1 AND r.lane = $2 AND r.status = 'COMPLETED'
                 AND {has_passed}) AS has_completed,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x.items_processed)
        FROM (SELECT r.items_processed FROM cron_job_runs r
              WHERE r.job_name = $1 AND r.lane = $2 AND r.status = 'COMPLETED' AND r.items_processed > 0
                AND {has_passed}
              ORDER BY r.completed_at DESC LIMIT 8) x) AS median
