-- A run that was taken over names the run that took it over.
ALTER TABLE cron_job_runs ADD COLUMN taken_over_by uuid;
COMMENT ON COLUMN cron_job_runs.taken_over_by IS 'The run that took this one over, when it gave no sign of life or was past its deadline.';
