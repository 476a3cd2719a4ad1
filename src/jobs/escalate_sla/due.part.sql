-- The rest of the rule: the level of the case is known, and below the highest, and nobody took it up again lately. It
-- follows overdue.part.sql. It ends inside the WHERE: continue with AND.
-- The caller provides the expression of taken_up.part.sql.
  AND c.escalation_level BETWEEN 0 AND 2
  AND {taken_up} IS NOT TRUE
