-- Returns the ids of rules that are gone or switched off, but have an episode. There are few rules, so all of them are
-- read.
SELECT DISTINCT e.rule_id
FROM escalation_episodes e
WHERE NOT EXISTS (SELECT FROM escalation_rules r WHERE r.id::text = e.rule_id AND r.active)
