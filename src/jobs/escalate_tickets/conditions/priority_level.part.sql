-- The condition priority_level: ticket t has one of the priorities $5.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
t.priority::text = ANY ($5)
