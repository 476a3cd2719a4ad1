-- Returns the open flags that no list for the admins had, because the run that made them died before.
-- $1 only of this facility text or NULL
-- The caller provides the expressions of day and time.
SELECT x.appointment_id AS id, x.facility_id, x.visit_start::date::text AS day, {clock} AS clock, {moment} AS moment
FROM schedule_flags x
WHERE x.listed_at IS NULL AND x.cleared_at IS NULL AND (x.facility_id = $1 OR $1 IS NULL)
  AND NOT EXISTS (SELECT FROM cron_job_runs r WHERE r.id = x.run_id AND r.status = 'RUNNING')
ORDER BY x.facility_id, x.id
