-- Returns a case, whether it is due by the rule, and the department or the users who would be notified.
-- $1 to $3 are the parameters of overdue.part.sql · $4 id of the case, a key · $5 fallback departments, keys
WITH fallbacks AS MATERIALIZED (SELECT d.id, d.facility_id FROM departments d WHERE d.id = ANY ($5)),
alone AS MATERIALIZED (
    SELECT c.id, c.facility_id FROM px_cases c
    {department}
    WHERE c.id = $4 AND department.id IS NULL
),
{stand_ins}
SELECT c.id::text AS id, c.facility_id::text AS facility_id, c.status::text AS status,
       CASE WHEN c.escalation_level BETWEEN 0 AND 2147483647 THEN c.escalation_level::int END AS escalation_level,
       c.active IS NOT FALSE AS active, c.due_at IS NULL AS undated,
       CASE WHEN c.due_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31' THEN c.due_at::timestamptz END
           AS due_at,
       c.due_at < $1 AS overdue, department.id::text AS department_id,
       ARRAY(SELECT s.user_id::text FROM stand_ins s WHERE s.channel = 'IN_APP' ORDER BY s.user_id) AS stand_ins,
       EXISTS (SELECT FROM px_cases c {due} AND c.id = $4) AS due
FROM px_cases c
{department}
WHERE c.id = $4
