-- The lane of a run without the id that it names: patient:12 becomes patient:*. An expression.
-- The caller provides the relation x, rows with the column lane of cron_job_runs.
regexp_replace(x.lane, ':[^:]*$', ':*')
