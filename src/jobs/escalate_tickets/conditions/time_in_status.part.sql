-- For $4 hours in the status $5.
t.status = ANY ($5) AND t.status_changed_at <= $1 - make_interval(secs => $4 * 3600)
