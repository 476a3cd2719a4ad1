-- Ends the episodes of rules and tickets that are gone. Returns nothing.
-- $1 ids of rules text[] · $2 ids of tickets text[]
DELETE FROM escalation_episodes e WHERE e.rule_id = ANY ($1) OR e.ticket_id = ANY ($2)
