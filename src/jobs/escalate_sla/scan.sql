-- Returns the due cases, and the overdue cases whose level cannot be read, which cannot be judged.
-- $1 to $4 are the parameters of overdue.part.sql and taken_up.part.sql · $5 limit bigint
SELECT c.id::text AS id, (c.escalation_level >= 0) IS NOT TRUE AS is_unreadable
FROM px_cases c
{overdue}
  AND (c.escalation_level < 3) IS NOT FALSE AND {taken_up} IS NOT TRUE AND c.id IS NOT NULL
ORDER BY is_unreadable, c.id LIMIT $5
