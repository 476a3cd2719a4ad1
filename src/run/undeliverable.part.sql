-- The CTE `undeliverable_recorded`, which records the items of the batch that are done, but of which nobody could be
-- told, in the transaction of the change itself. What two statements of one run say of an item is put together. A
-- rehearsal has no row in cron_job_runs, so it records none.
-- The caller provides the CTE undeliverable (id, message text), which says what was done and who would have been told,
-- without a value of a row; {run}, the parameter with the run's id; and {entity}. It is a CTE without a comma at the
-- end: continue with a comma or the final SELECT.
undeliverable_recorded AS (
    INSERT INTO cron_job_run_errors AS e (run_id, entity, entity_id, error_code, message)
    SELECT {run}, '{entity}', u.id::text, '{code}', u.message FROM undeliverable u
    WHERE EXISTS (SELECT FROM cron_job_runs r WHERE r.id = {run})
    ORDER BY u.id
    ON CONFLICT (run_id, entity, entity_id, error_code)
    DO UPDATE SET message = concat_ws('; ', e.message, EXCLUDED.message)
)
