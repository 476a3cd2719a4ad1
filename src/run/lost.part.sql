-- Why a RUNNING run has lost its lane: no heartbeat for a lease, or well past its deadline; NULL while it is alive.
-- The caller provides {run}, the alias of its row in cron_job_runs, {lease}, its lease in milliseconds, and a relation clock (now).
-- A CASE expression; the caller goes on behind it.
CASE WHEN {run}.heartbeat_at < clock.now - make_interval(secs => {lease} / 1000.0) THEN 'LEASE_EXPIRED'
     WHEN {run}.deadline_at < clock.now - interval '30 seconds' THEN 'DEADLINE_EXCEEDED' END
