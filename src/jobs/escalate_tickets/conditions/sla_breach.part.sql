-- Breached for longer than $4 hours.
sla.due_at < $1 - make_interval(secs => $4 * 3600)
