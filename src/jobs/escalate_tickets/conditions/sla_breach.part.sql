-- The condition sla_breach: the SLA of the ticket, sla.due_at, has been breached for longer than $4 hours; where
-- $4 is negative, it will be breached in less than so many hours, or is.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
sla.due_at < $1 - make_interval(secs => $4 * 3600)
