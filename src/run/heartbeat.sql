-- Writes the heartbeat of a run; it does not conflict with the fence. Returns the message of a pause of its lane, if
-- there is one; no row if the run has been taken over.
-- $1 run id uuid · $2 whether a pause counts boolean
UPDATE cron_job_runs r SET heartbeat_at = clock_timestamp() WHERE r.id = $1 AND r.status = 'RUNNING'
RETURNING CASE WHEN $2 THEN {paused} END AS paused
