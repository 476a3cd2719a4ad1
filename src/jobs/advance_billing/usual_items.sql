-- Returns the number of cases that a run of a lane may advance without a person's confirmation: five times the median
-- of its last eight runs that advanced any, at least 50.
-- $1 job_name text · $2 lane text
SELECT GREATEST(50, floor(5 * percentile_cont(0.5) WITHIN GROUP (ORDER BY r.items_processed)))::bigint AS cases
FROM (SELECT items_processed FROM cron_job_runs
      WHERE job_name = $1 AND lane = $2 AND status = 'COMPLETED' AND items_processed > 0
      ORDER BY completed_at DESC LIMIT 8) r
