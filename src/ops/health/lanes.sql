-- Returns for each lane of the schedule its last success, its last failure, its failures in a row, whether its brake has
-- stopped one of these, its current run, its refused items, and the run that lies farthest in the future, which counts as
-- none of the others but the current one.
-- $1 job_name of each lane text[] · $2 lane of each lane text[]
SELECT
    -- The instant from which the lane is expected to run: its first run, or the last migration of the schema. The
    -- earlier one counts, because a slot is a little older than the run that it starts.
    -- Where both lie in the future, it is expected for a day.
    COALESCE(LEAST((SELECT min(r.started_at) FROM cron_job_runs r
                    WHERE r.job_name = l.job_name AND r.lane = l.lane AND {start_has_passed}),
                   (SELECT max(m.applied_on::timestamptz) FROM rounds_migrations m WHERE {migration_has_passed})),
             clock_timestamp() - interval '1 day') AS expected_from,
    -- The clock may have been put back while it ran.
    success.id AS success_id, LEAST(success.started_at, success.completed_at) AS success_started_at,
    success.duration_ms AS success_duration_ms,
    success.items_processed AS success_items_processed, success.items_failed AS success_items_failed,
    failure.completed_at AS failed_at, success.completed_at AS succeeded_at,
    failure.error_code, failure.error_message,
    -- The failures in a row.
    (SELECT count(*) FROM (SELECT l.job_name, l.lane) l {failures}) AS failures,
    running.id AS running_id, running.started_at AS running_started_at, running.deadline_at AS running_deadline_at,
    running.host AS running_host, braked.id IS NOT NULL AS is_braked, future.id AS future_id,
    -- The items that were refused, by code; without those that cannot be judged, which fail at each run. The actions of
    -- escalation rules that were refused are tried by each run, which counts them as skipped.
    (SELECT jsonb_object_agg(refused.error_code, refused.items)
     FROM (SELECT item.error_code, count(*) AS items
           FROM (SELECT r.error_code FROM item_refusals r
                 WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.part <> r.error_code
                 UNION ALL
                 SELECT format('RULE_%s_REFUSED', e.rule_id) FROM escalation_episodes e
                 WHERE l.job_name = 'escalate-tickets' AND e.refused_at IS NOT NULL) item
           GROUP BY item.error_code) refused) AS refused
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS l (job_name, lane, number)
LEFT JOIN LATERAL (
    SELECT * FROM cron_job_runs r WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'COMPLETED'
      AND {end_has_passed}
    ORDER BY r.completed_at DESC LIMIT 1
) success ON true
LEFT JOIN LATERAL (
    SELECT * FROM cron_job_runs r
    WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'FAILED' AND r.error_code <> 'INTERRUPTED'
      AND {end_has_passed}
    ORDER BY r.completed_at DESC LIMIT 1
) failure ON true
-- A stop by the brake waits for a person, whatever failed after it.
LEFT JOIN LATERAL (
    SELECT r.id FROM cron_job_runs r
    WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'FAILED' AND r.error_code = 'BRAKE'
      AND r.completed_at > COALESCE(success.completed_at, '-infinity') AND {end_has_passed}
    ORDER BY r.completed_at DESC LIMIT 1
) braked ON true
LEFT JOIN cron_job_runs running
    ON running.job_name = l.job_name AND running.lane = l.lane AND running.status = 'RUNNING'
LEFT JOIN LATERAL (
    SELECT x.id FROM (
        SELECT r.id, r.started_at AS at FROM cron_job_runs r
        WHERE r.job_name = l.job_name AND r.lane = l.lane AND NOT {start_has_passed}
        UNION ALL
        SELECT r.id, r.completed_at FROM cron_job_runs r
        WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status IN ('COMPLETED', 'FAILED')
          AND NOT {end_has_passed}
        UNION ALL
        SELECT r.id, r.heartbeat_at FROM cron_job_runs r
        WHERE r.job_name = l.job_name AND r.lane = l.lane AND r.status = 'RUNNING' AND NOT {heartbeat_has_passed}
    ) x ORDER BY x.at DESC LIMIT 1
) future ON true
ORDER BY l.number
