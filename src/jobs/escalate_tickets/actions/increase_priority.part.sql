-- The action increase_priority: raises the priority by one step, at most to URGENT; one that is none of the four stays.
-- The SLA's date follows the newest active policy for the new priority, if there is one and that is earlier: no ticket
-- gets more time. A date that the policies decide is stored only where the new priority would give a later one, or
-- none. The ticket's own date stays.
-- The caller (apply.sql) provides the CTE due, $1 now timestamptz, the policies in force, and the expression of the
-- creation of p; the part defines the CTE outcomes. It is a list of CTEs without a comma at the end: continue with a
-- comma.
prioritized AS MATERIALIZED (
    SELECT d.id, d.created_at, d.priority, d.sla_due_at,
           CASE d.priority WHEN 'LOW' THEN 'MEDIUM' WHEN 'MEDIUM' THEN 'HIGH' WHEN 'HIGH' THEN 'URGENT'
                ELSE d.priority END AS new_priority
    FROM due d
),
policies AS MATERIALIZED (
{policies}
),
dated AS MATERIALIZED (
    SELECT p.*,
           CASE WHEN p.new_priority = p.priority THEN promised.before
                -- LEAST leaves out what is NULL.
                WHEN p.sla_due_at IS NOT NULL THEN LEAST(promised.before, promised.by_new)
                WHEN (promised.by_new <= promised.by_old) IS NOT TRUE THEN promised.by_old END AS new_due_at
    FROM prioritized p
    LEFT JOIN policies old_policy ON old_policy.priority = p.priority::text
    LEFT JOIN policies new_policy ON new_policy.priority = p.new_priority::text
    CROSS JOIN LATERAL (
        SELECT p.sla_due_at::timestamptz AS before,
               {filed_at} + make_interval(mins => old_policy.minutes) AS by_old,
               {filed_at} + make_interval(mins => new_policy.minutes) AS by_new
    ) promised
),
raised AS (
    UPDATE tickets t SET priority = d.new_priority, sla_due_at = d.new_due_at, updated_at = $1 FROM dated d
    WHERE t.id = d.id AND d.new_priority <> d.priority
),
outcomes AS (
    SELECT id, NULL::text AS refused, jsonb_build_object('from', priority::text, 'to', new_priority::text) AS details
    FROM dated
)
