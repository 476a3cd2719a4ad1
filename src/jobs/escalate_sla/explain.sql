-- Returns a case, whether it is due by the rule, and the department or the users who would be notified.
-- $1 to $4 are the parameters of overdue.part.sql and taken_up.part.sql · $5 id of the case, a key
-- $6 fallback departments, keys
-- The caller provides {escalated_at}, the instant of the escalation, or NULL where nothing can be added to it.
WITH fallbacks AS MATERIALIZED (SELECT d.id, d.facility_id FROM departments d WHERE d.id = ANY ($6)),
alone AS MATERIALIZED (
    SELECT c.id, c.facility_id FROM px_cases c
    {department}
    WHERE c.id = $5 AND department.id IS NULL
),
{stand_ins}
SELECT c.id::text AS id, c.facility_id::text AS facility_id, c.status::text AS status,
       CASE WHEN c.escalation_level BETWEEN 0 AND 2147483647 THEN c.escalation_level::int END AS escalation_level,
       c.active IS NOT FALSE AS active, c.due_at IS NULL AS undated,
       CASE WHEN c.due_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31' THEN c.due_at::timestamptz END
           AS due_at,
       c.due_at < $1 AS overdue, {taken_up} AS taken_up,
       (c.escalated_at <= $1 - make_interval(secs => $3)) IS NOT TRUE AS is_recent,
       -- When --re-escalate-after or --take-up-grace end.
       ARRAY(SELECT escalated.at + make_interval(secs => spans.seconds)
             FROM (SELECT {escalated_at} AS at
                   UNION ALL SELECT max(a.created_at) FROM px_case_audits a
                             WHERE a.case_id = c.id::text AND a.action = 'ESCALATED' AND a.created_at <= $1) escalated
             CROSS JOIN (VALUES ($3), ($4)) AS spans (seconds)
             WHERE escalated.at IS NOT NULL AND spans.seconds IS NOT NULL) AS ends,
       department.id::text AS department_id,
       ARRAY(SELECT s.user_id::text FROM stand_ins s WHERE s.channel = 'IN_APP' ORDER BY s.user_id) AS stand_ins,
       EXISTS (SELECT FROM px_cases c {due} AND c.id = $5) AS due
FROM px_cases c
{department}
WHERE c.id = $5
