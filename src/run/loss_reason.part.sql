-- The reason for which a RUNNING run has lost its lane: no heartbeat for a lease, a heartbeat that lies more than a lease
-- in the future, because the clock was put back since, or 30 s past its deadline; NULL while it is alive.
-- The caller provides {run}, the alias of its row in cron_job_runs; {lease}, its lease in milliseconds; and a relation
-- clock (now). It is a CASE expression; the caller may continue with an operator or an alias.
CASE WHEN {run}.heartbeat_at < clock.now - make_interval(secs => {lease} / 1000.0) THEN 'LEASE_EXPIRED'
     WHEN {run}.heartbeat_at > clock.now + make_interval(secs => {lease} / 1000.0) THEN 'CLOCK'
     WHEN {run}.deadline_at < clock.now - interval '30 seconds' THEN 'DEADLINE_EXCEEDED' END
