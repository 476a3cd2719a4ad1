-- The condition time_in_status: ticket t has had the status $5 for at least $4 hours.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
t.status = ANY ($5) AND t.status_changed_at <= $1 - make_interval(secs => $4 * 3600)
