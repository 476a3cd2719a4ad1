-- The rest of the rule: the level of the case is known, and below the highest. It follows overdue.part.sql.
-- It ends inside the WHERE: continue with AND.
  AND c.escalation_level BETWEEN 0 AND 2
