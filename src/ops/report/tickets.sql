-- Returns the open tickets by age and priority, and how many of them are past the date of their SLA. The ages are as those
-- of cases.
-- $1 now timestamptz
SELECT width_bucket(EXTRACT(epoch FROM $1 - sane.filed_at)::float8, ARRAY[86400, 259200, 604800, 2592000]::float8[]) AS age,
       t.priority::text AS level, count(*) AS open, count(*) FILTER (WHERE sla.due_at < $1) AS overdue
FROM tickets t
{due_at}
WHERE t.status NOT IN ('RESOLVED', 'CLOSED')
GROUP BY 1, 2
ORDER BY 1 NULLS FIRST, 2
