-- A join and the WHERE clause for episodes that have ended: the rule fired, and its condition no longer holds, or the
-- ticket is not open.
-- The caller provides the relation t, a row of tickets, with the joins of due_at.part.sql; and the condition. A
-- further condition may follow with AND, or ORDER BY.
-- $1 to $9 are the parameters of due.part.sql.
JOIN escalation_episodes e ON e.rule_id = $2 AND e.ticket_id = t.id
WHERE (t.status IN ('RESOLVED', 'CLOSED') OR NOT COALESCE(({holds}), false))
