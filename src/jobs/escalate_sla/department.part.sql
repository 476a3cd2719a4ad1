-- Joins that add `department.id` to a case `c`, the department that is notified: its own department, else its visit's,
-- else the fallback of its facility; never a department of another facility; NULL if there is none.
-- The caller provides the relation c (id, facility_id, appointment_id, assigned_department_id), and the CTE fallbacks
-- (id, facility_id), at most one department of each facility. It follows FROM; continue with a join or WHERE.
LEFT JOIN appointments visit ON visit.id = c.appointment_id
LEFT JOIN departments assigned ON assigned.id = c.assigned_department_id AND assigned.facility_id = c.facility_id
LEFT JOIN departments visited ON visited.id = visit.department_id AND visited.facility_id = c.facility_id
LEFT JOIN fallbacks fallback ON fallback.facility_id = c.facility_id
CROSS JOIN LATERAL (SELECT COALESCE(assigned.id, visited.id, fallback.id) AS id) department
