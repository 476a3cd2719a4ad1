-- Returns the open cases by age and escalation level, and how many of them are past their due time. Age 0 is less than a
-- day, 1 up to 3 days, 2 up to 7, 3 up to 30, 4 more.
-- $1 now timestamptz
SELECT width_bucket(EXTRACT(epoch FROM $1 - {created})::float8, ARRAY[86400, 259200, 604800, 2592000]::float8[]) AS age,
       c.escalation_level::text AS level, count(*) AS open, count(*) FILTER (WHERE c.due_at < $1) AS overdue
FROM px_cases c
WHERE c.status IN ('OPEN', 'IN_PROGRESS', 'ESCALATED') AND c.active IS NOT FALSE
GROUP BY 1, 2
ORDER BY 1 NULLS FIRST, 2
