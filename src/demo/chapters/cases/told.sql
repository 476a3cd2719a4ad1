-- The cases of the chapter after the run.
SELECT c.id::text AS "case", c.status, c.escalation_level::text AS "level",
       COALESCE((SELECT string_agg(lower(n.recipient_kind) || ' ' || n.recipient_id, ', ' ORDER BY n.recipient_id)
                 FROM notifications n WHERE n.entity_id = c.id::text AND n.type LIKE '%ESCALAT%'), 'nobody') AS "told",
       (CASE c.id WHEN 301 THEN 'due 90 min ago' WHEN 302 THEN 'a day overdue, raised once; no department'
                  WHEN 303 THEN 'due in 30 min' ELSE 'level 3 is the highest' END) AS "because"
FROM px_cases c WHERE c.id BETWEEN 301 AND 304 ORDER BY c.id
