-- Escalates a batch of cases, writes the audit, notifies their departments, or who stands in for one. Returns one
-- row: counts and the skipped ids.
-- $1 to $4 are the parameters of overdue.part.sql and taken_up.part.sql · $5 ids of cases, keys · $6 run id uuid
-- $7 actor text or NULL, the id of a user · $8 fallback departments, keys
WITH
-- The cases. A case that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT c.id, c.facility_id, c.appointment_id, c.assigned_department_id, c.status, c.escalation_level, c.due_at,
           c.escalated_at, c.active
    FROM px_cases c WHERE c.id = ANY ($5) ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows. CASE guarantees that only a level of the rule is cast.
due AS MATERIALIZED (
    SELECT c.id, c.facility_id, c.appointment_id, c.assigned_department_id, c.status, c.escalation_level, c.due_at,
           CASE WHEN c.escalation_level BETWEEN 0 AND 2 THEN c.escalation_level::int END AS from_level
    FROM locked c
    {due}
    ORDER BY c.id
),
-- The rows that were really changed; the following CTEs use only these.
escalated AS (
    UPDATE px_cases c
    SET status = 'ESCALATED', escalation_level = due.from_level + 1, escalated_at = $1, updated_at = $1
    FROM due
    WHERE c.id = due.id AND c.status = due.status AND c.escalation_level = due.escalation_level
    RETURNING due.*
),
-- Read once: the planner, which expects one case, would read all departments for each.
fallbacks AS MATERIALIZED (SELECT d.id, d.facility_id FROM departments d WHERE d.id = ANY ($8)),
addressed AS (
    SELECT c.id, c.facility_id, c.from_level + 1 AS level, c.due_at::timestamptz AS due_at,
           department.id AS department_id
    FROM escalated c
    {department}
),
alone AS MATERIALIZED (SELECT t.id, t.facility_id FROM addressed t WHERE t.department_id IS NULL),
{stand_ins},
-- The departments are told without a join, because the planner, which expects one case, would compare each with each.
recipients AS (
    SELECT t.id, t.facility_id, t.level, t.due_at, 'DEPARTMENT' AS kind, t.department_id::text AS recipient_id,
           'IN_APP' AS channel
    FROM addressed t WHERE t.department_id IS NOT NULL
    UNION ALL
    SELECT t.id, t.facility_id, t.level, t.due_at, 'USER', s.user_id::text, s.channel
    FROM stand_ins s JOIN addressed t ON t.id = s.id
),
-- Who is told in the application is told at once, who is told by e-mail when a provider has accepted that.
audited AS (
    INSERT INTO px_case_audits (case_id, actor, action, before, after, created_at, run_id, told_at)
    SELECT e.id::text, COALESCE($7, 'system'), 'ESCALATED',
           jsonb_build_object('status', e.status::text, 'escalationLevel', e.from_level),
           jsonb_build_object('status', 'ESCALATED', 'escalationLevel', e.from_level + 1), $1, $6,
           CASE WHEN e.id IN (SELECT r.id FROM recipients r WHERE r.channel = 'IN_APP') THEN $1 END
    FROM escalated e
),
staged AS (
    SELECT t.kind AS recipient_kind, t.recipient_id, NULL::text AS address,
           t.channel, 'PX_CASE_ESCALATED' AS type, 'HIGH' AS priority, 'Case escalated' AS title,
           format('Case has been escalated due to SLA overdue (Level %s). Immediate attention required.', t.level)
               AS body,
           jsonb_build_object('level', t.level, 'due_at', t.due_at) AS metadata,
           jsonb_build_object('case_id', t.id::text, 'level', t.level) AS placeholders,
           'px_case' AS entity, t.id::text AS entity_id, t.facility_id::text AS facility_id,
           concat_ws(':', 'px_case_escalated', t.id::text, $6) AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, $1 AS staged_at, $6 AS run_id
    FROM recipients t
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT t.id, format('escalated to level %s, but nobody was told: neither the case nor its visit has a department '
                        'of its facility, no --fallback-department is given for that, and it has no active MANAGER or '
                        'HOSPITAL_ADMIN', t.level) AS message
    FROM addressed t WHERE t.department_id IS NULL AND t.id NOT IN (SELECT id FROM stand_ins)
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM escalated) AS escalated,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column},
       {skipped_columns}
