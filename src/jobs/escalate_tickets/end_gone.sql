-- Ends the episodes of rules and tickets that are gone. Returns nothing.
-- $1 ids of rules text[] · $2 ids of tickets text[]
-- The rules were looked for in an earlier transaction. One that was switched on since is not gone.
DELETE FROM escalation_episodes e
WHERE (e.rule_id = ANY ($1)
       AND NOT EXISTS (SELECT FROM escalation_rules r WHERE r.id::text = e.rule_id AND r.active))
   OR e.ticket_id = ANY ($2)
