-- Returns the visits that are due, which come first, and those that cannot be judged; then, for each facility and class,
-- how many visits are only counted.
-- $1 to $6 are the parameters of clinic/visit.part.sql, conflict.part.sql and awaited.part.sql · $7 limit bigint
WITH found AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, visit.day, visit.start_time, visit.starts_at, standing.class
    FROM appointments a
    {awaited}
    AND a.id IS NOT NULL
    AND standing.class IN ('DUE', 'NO_SLOT_LENGTH', 'UNREADABLE', 'MADE_AFTER', 'UNDATED', 'WITHOUT_SCHEDULE')
),
items AS (
    SELECT f.* FROM found f WHERE f.class IN ('DUE', 'NO_SLOT_LENGTH', 'UNREADABLE')
    ORDER BY f.class, f.id LIMIT $7
)
SELECT f.id::text AS id, f.facility_id::text AS facility_id, f.doctor_id::text AS doctor_id, f.class,
       f.day::text AS day, {clock} AS clock, {moment} AS moment, f.starts_at, 1::bigint AS visits,
       row_number() OVER (ORDER BY f.class, f.id) AS place
FROM items f
UNION ALL
SELECT NULL, f.facility_id::text, NULL, f.class, NULL, NULL, NULL, NULL, count(*), NULL
FROM found f WHERE f.class IN ('MADE_AFTER', 'UNDATED', 'WITHOUT_SCHEDULE')
GROUP BY f.facility_id, f.class
ORDER BY place NULLS LAST
