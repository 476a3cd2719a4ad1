-- What is known of each lane of the schedule, whenever it was.
-- $1 job_name of each text[] · $2 lane of each text[]
SELECT
    -- From when on it can be expected to run: since it first did, or since the schema was last changed. The earlier of them,
    -- for a slot is a little older than the run that it starts.
    LEAST((SELECT min(r.started_at) FROM cron_job_runs r WHERE r.job_name = l.job_name AND r.lane = l.lane),
          (SELECT max(m.applied_on::timestamptz) FROM rounds_migrations m)) AS expected_from,
    success.id AS success_id, success.started_at AS success_started_at, success.duration_ms AS success_duration_ms,
    success.items_processed AS success_items_processed, success.items_failed AS success_items_failed,
    failure.completed_at AS failed_at, success.completed_at AS succeeded_at,
    failure.error_code, failure.error_message,
    -- One by one: the failures since the last success.
    (SELECT count(*) FROM (SELECT l.job_name, l.lane) l {failures}) AS failures,
    running.id AS running_id, running.started_at AS running_started_at, running.deadline_at AS running_deadline_at,
    running.host AS running_host
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS l (job_name, lane, number)
LEFT JOIN LATERAL (
    SELECT * FROM cron_job_runs r WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'COMPLETED'
    ORDER BY r.completed_at DESC LIMIT 1
) success ON true
LEFT JOIN LATERAL (
    SELECT * FROM cron_job_runs r
    WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'FAILED' AND r.error_code <> 'INTERRUPTED'
    ORDER BY r.completed_at DESC LIMIT 1
) failure ON true
LEFT JOIN cron_job_runs running
    ON running.job_name = l.job_name AND running.lane = l.lane AND running.status = 'RUNNING'
ORDER BY l.number
