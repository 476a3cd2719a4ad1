-- The condition time_in_status: ticket t has had the status $5 for at least $4 hours. A ticket of which
-- status_changed_at is NULL, not known, does not meet it.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
t.status::text = ANY ($5) AND t.status_changed_at <= $1 - make_interval(secs => $4 * 3600)
