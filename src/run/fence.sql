-- The fence: as long as this row is held, nobody can take the run over. No row: somebody has.
-- $1 run id uuid
SELECT pg_current_xact_id()::text FROM cron_job_runs WHERE id = $1 AND status = 'RUNNING' FOR KEY SHARE
