-- Returns when the runs of a lane began and ended, in order, for the slots that they cover: as one row of lists, because a
-- lane of each minute has tens of thousands. The instants are microseconds since 1970; one that is not there is NULL.
-- $1 job_name text · $2 lane text · $3 beginning timestamptz · $4 end timestamptz
SELECT COALESCE(array_agg(q.started ORDER BY q.started, q.id), '{}') AS started,
       COALESCE(array_agg(q.completed ORDER BY q.started, q.id), '{}') AS completed,
       COALESCE(array_agg(q.scheduled ORDER BY q.started, q.id), '{}') AS scheduled,
       COALESCE(array_agg(q.succeeded ORDER BY q.started, q.id), '{}') AS succeeded
FROM (
    SELECT r.id, (EXTRACT(epoch FROM r.started_at) * 1000000)::bigint AS started,
           -- What lies behind the end is as good as the end, and may be infinity. So is the end of a run that is at work.
           (EXTRACT(epoch FROM LEAST(r.completed_at, $4)) * 1000000)::bigint AS completed,
           CASE WHEN r.scheduled_for BETWEEN $3 AND $4 THEN (EXTRACT(epoch FROM r.scheduled_for) * 1000000)::bigint END
               AS scheduled,
           r.status = 'COMPLETED' AS succeeded
    FROM cron_job_runs r
    WHERE r.job_name = $1 AND r.lane = $2 AND r.started_at >= $3 AND r.started_at < $4
) q
