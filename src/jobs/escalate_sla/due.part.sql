-- The rest of the rule: the case is below the highest level. It follows overdue.part.sql.
-- It ends inside the WHERE: continue with AND.
  AND c.escalation_level < 3
