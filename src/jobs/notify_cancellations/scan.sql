-- Returns the cancelled visits that are due, and those whose start cannot be read, which cannot be judged.
-- $1 to $4 are the parameters of clinic/visit.part.sql and cancelled.part.sql: now, first date, lookback, zones
-- $5 limit bigint · $6 only of this facility, a key or NULL
WITH found AS MATERIALIZED (
    SELECT a.id, visit.starts_at IS NULL AS is_unreadable
    FROM appointments a
    {cancelled}
    AND (a.facility_id = $6 OR $6 IS NULL)
    AND a.id IS NOT NULL AND tz.zone IS NOT NULL
    AND (visit.starts_at IS NULL OR (true
    {due}))
)
SELECT f.id::text AS id, f.is_unreadable FROM found f ORDER BY f.is_unreadable, f.id LIMIT $5
