-- What the rules of the chapter did.
SELECT t.id::text AS "ticket", t.priority,
       COALESCE((SELECT string_agg(e.rule_id, ', ' ORDER BY e.rule_id) FROM escalation_episodes e
                 WHERE e.ticket_id = t.id::text), 'none') AS "rules fired",
       COALESCE((SELECT string_agg('user ' || n.recipient_id, ', ' ORDER BY n.recipient_id::bigint)
                 FROM notifications n WHERE n.entity_id = t.id::text AND n.type = 'TICKET_ESCALATED'), 'nobody') AS "told"
FROM tickets t WHERE t.id BETWEEN 401 AND 403 ORDER BY t.id
