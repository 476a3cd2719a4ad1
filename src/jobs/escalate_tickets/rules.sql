-- Returns the rules, in the order in which they are carried out. The program reads condition and action from text,
-- because the text of a column of type json or text may be no jsonb, which would end the statement for all rules.
-- The caller provides the expression of the definition, and those of the texts: one with bytes that are no text is no
-- JSON and no name.
-- $1 whether inactive rules are included boolean
SELECT r.id::text, COALESCE(r.active, false) AS active, {condition_type} AS condition_type, {condition} AS condition,
       {action_type} AS action_type, {action} AS action, {definition} AS definition,
       -- A number that cannot be had as this type, or is none, is NaN, which is refused.
       CASE WHEN r.cooldown_hours BETWEEN 0 AND 87600 THEN r.cooldown_hours::float8
            WHEN r.cooldown_hours IS NOT NULL THEN 'NaN' END AS cooldown_hours
FROM escalation_rules r
WHERE (r.active OR $1) AND r.id IS NOT NULL
ORDER BY r.position, r.id
