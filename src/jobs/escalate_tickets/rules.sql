-- Returns the rules, in the order in which they are carried out.
-- $1 whether inactive rules are included boolean
SELECT r.id, r.active, r.condition_type, r.condition, r.action_type, r.action, r.cooldown_hours,
       r.definition
FROM escalation_rules r
WHERE r.active OR $1
ORDER BY r.position, r.id
