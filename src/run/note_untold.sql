-- Keeps in the report of a run that has just been closed that nobody could be told, and why. Returns nothing.
-- $1 run id uuid · $2 the reason text
UPDATE cron_job_runs
SET metadata = metadata || jsonb_build_object(
        'report', COALESCE(NULLIF(metadata -> 'report', 'null'), '{}') || jsonb_build_object('nobody_told', $2))
WHERE id = $1
