-- The rule, over failed items `x`: older than they are kept, or of a run that goes.
-- $1, $2 as for runs · $3 items that failed before then timestamptz
WHERE x.created_at < $3 OR x.run_id IN (SELECT x.id FROM cron_job_runs x {runs})
