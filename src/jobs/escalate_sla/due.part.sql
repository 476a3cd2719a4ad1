-- The rule, over overdue cases `c`: there is a level to raise them to.
  AND c.escalation_level < 3
