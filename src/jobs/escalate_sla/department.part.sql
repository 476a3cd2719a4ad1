-- Who is told of a case `c`, as `department.id`: its own department, else its visit's, else the fallback of its facility;
-- never another facility's. {fallback} is a parameter: departments bigint[], at most one of each facility.
LEFT JOIN appointments visit ON visit.id = c.appointment_id
LEFT JOIN departments assigned ON assigned.id = c.assigned_department_id AND assigned.facility_id = c.facility_id
LEFT JOIN departments visited ON visited.id = visit.department_id AND visited.facility_id = c.facility_id
LEFT JOIN departments fallback ON fallback.id = ANY ({fallback}) AND fallback.facility_id = c.facility_id
CROSS JOIN LATERAL (SELECT COALESCE(assigned.id, visited.id, fallback.id) AS id) department
