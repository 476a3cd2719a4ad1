-- The WHERE clause for tickets for which an episode of the rule has ended: the condition no longer holds, or the ticket
-- is not open.
-- The caller provides the relation t, a row of tickets, with the joins that the condition needs; and the condition. It
-- ends inside the WHERE: continue with AND, or ORDER BY.
-- $1 to $9 are the parameters of due.part.sql.
WHERE NOT COALESCE(t.status NOT IN ('RESOLVED', 'CLOSED') AND ({holds}), false)
