-- Returns the items that a run was the last to be refused, counted by kind and code.
-- $1 run id uuid
SELECT r.entity, r.part, r.error_code, count(*) AS items, min(r.next_try_at) AS next_try_at
FROM item_refusals r WHERE r.run_id = $1
GROUP BY r.entity, r.part, r.error_code
ORDER BY r.entity, r.part, r.error_code
