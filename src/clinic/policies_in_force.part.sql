-- The SLA policy in force for each priority: the newest of the active ones. minutes is NULL where resolution_minutes is
-- no whole number of minutes from 1 to ten years. A SELECT (id, priority text, minutes int): put it into parentheses.
-- The priorities are text, because those of tickets and of policies may be of two types.
SELECT DISTINCT ON (p.priority::text) p.id, p.priority::text AS priority,
       CASE WHEN p.resolution_minutes BETWEEN 1 AND 5256000 THEN p.resolution_minutes::int END AS minutes
FROM sla_policies p
WHERE p.active AND p.id IS NOT NULL
ORDER BY p.priority::text, p.created_at DESC NULLS LAST, p.id DESC
