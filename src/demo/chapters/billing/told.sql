-- The surgical cases of the chapter, and the steps that were recorded.
SELECT c.id::text AS "case", c.case_status::text || ' ' || s.name AS "status",
       COALESCE((SELECT string_agg(h.from_status || ' -> ' || h.to_status, ', ' ORDER BY h.id)
                 FROM surgical_case_status_history h WHERE h.case_id = c.id::text), 'no step') AS "steps",
       (CASE c.id WHEN 501 THEN 'waits a day before the next step' WHEN 502 THEN 'brought to 15 by people'
                  ELSE 'not active' END) AS "because"
FROM surgical_cases c JOIN surgical_case_statuses s ON s.status = c.case_status
WHERE c.id BETWEEN 501 AND 503 ORDER BY c.id
