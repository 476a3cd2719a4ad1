-- The risk of the tickets of the chapter, as recorded.
SELECT t.id::text AS "ticket",
       COALESCE((SELECT CASE h.details ->> 'isCompliant' WHEN 'false' THEN 'breached' ELSE h.details ->> 'breachRisk' END
                 FROM ticket_history h WHERE h.ticket_id = t.id::text AND h.action = 'sla_status_checked'
                 ORDER BY h.id DESC LIMIT 1), 'low') AS "risk",
       COALESCE((SELECT string_agg('user ' || n.recipient_id, ', ' ORDER BY n.recipient_id) FROM notifications n
                 WHERE n.entity_id = t.id::text AND n.type LIKE 'TICKET_SLA%'), 'nobody') AS "told",
       (CASE t.id WHEN 401 THEN '30 min of 10 h 30 min are left' WHEN 402 THEN 'an hour late; its agent has left'
                  ELSE '20 of 21 h are left' END) AS "because"
FROM tickets t WHERE t.id BETWEEN 401 AND 403 ORDER BY t.id
