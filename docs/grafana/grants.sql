-- What docs/grafana/postgresql.json reads, for the role that `rounds migrate` makes for dashboards: counts, times and codes, no
-- message, no recipient, no id of a row. The owner of the tables runs it once, after `rounds migrate`:
--     psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -c 'SET search_path = rounds' -f docs/grafana/grants.sql
-- Then a login of Grafana's own gets that role: GRANT rounds_dashboard TO grafana.
GRANT SELECT (job_name, lane, status, error_code, started_at, completed_at, duration_ms, items_processed, items_failed)
    ON cron_job_runs TO rounds_dashboard;
GRANT SELECT (channel, status, created_at) ON notifications TO rounds_dashboard;
