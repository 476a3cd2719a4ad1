-- Returns a case, whether it is due by the rule, and the department that would be notified.
-- $1 to $3 are the parameters of overdue.part.sql · $4 id of the case bigint · $5 fallback departments bigint[]
SELECT c.facility_id, c.status, c.escalation_level, c.active IS NOT FALSE AS active, c.due_at IS NULL AS undated,
       CASE WHEN c.due_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31' THEN c.due_at END AS due_at,
       c.due_at < $1 AS overdue, department.id AS department_id,
       EXISTS (SELECT FROM px_cases c {due} AND c.id = $4) AS due
FROM px_cases c
{department}
WHERE c.id = $4
