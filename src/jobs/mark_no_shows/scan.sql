-- Returns the late visits: those that are due, which come first, and those that are left alone, each with the reason;
-- and those whose start cannot be read, which cannot be judged.
-- $1 to $5 are the parameters of clinic/visit.part.sql and awaited.part.sql · $6 limit bigint
-- $7 only of this facility, a key or NULL
WITH found AS MATERIALIZED (
    SELECT a.id, visit.starts_at IS NULL AS is_unreadable, excuse.reason AS excuse
    FROM appointments a
    {awaited}
    AND (a.facility_id = $7 OR $7 IS NULL)
    AND a.id IS NOT NULL AND tz.zone IS NOT NULL
    AND (visit.starts_at IS NULL OR (true
    {late}))
)
SELECT f.id::text AS id, f.is_unreadable, f.excuse FROM found f
ORDER BY f.excuse NULLS FIRST, f.is_unreadable, f.id LIMIT $6
