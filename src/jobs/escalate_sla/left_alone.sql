-- Returns one row: counts of the overdue cases that are left alone, which have the highest level, or were taken up.
-- $1 to $4 are the parameters of overdue.part.sql and taken_up.part.sql
SELECT count(*) FILTER (WHERE c.escalation_level >= 3) AS at_max,
       count(*) FILTER (WHERE {taken_up}) AS taken_up
FROM px_cases c
{overdue}
  AND (c.escalation_level >= 3 OR {taken_up})
