-- The end of an episode, over tickets `t` with their date: the rule fired, and its condition holds no longer, or the ticket
-- is not open.
-- $1 .. $9 as in the rule
JOIN escalation_episodes e ON e.rule_id = $2 AND e.ticket_id = t.id
WHERE t.status IN ('RESOLVED', 'CLOSED') OR NOT COALESCE(({holds}), false)
