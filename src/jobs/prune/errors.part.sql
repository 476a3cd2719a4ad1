-- The WHERE clause for failed items: they are old, or their run is deleted.
-- The caller provides the relation x, a row of cron_job_run_errors, and the rule of runs in braces. A further
-- condition may follow with AND, or ORDER BY.
-- $1 and $2 are the parameters of runs.part.sql · $3 the instant before which failed items are deleted timestamptz
WHERE (x.created_at < $3 OR x.run_id IN (SELECT x.id FROM cron_job_runs x {runs}))
