-- The condition sla_breach: the SLA of the ticket, sla.due_at, has been breached for longer than $4 hours.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
sla.due_at < $1 - make_interval(secs => $4 * 3600)
