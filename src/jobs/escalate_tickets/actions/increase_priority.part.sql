-- The action increase_priority: raises the priority by one step, at most to URGENT. The SLA's date follows the newest
-- active policy for the new priority, if there is one; the ticket's own date stays.
-- The caller (apply.sql) provides the CTE due and $1 now timestamptz; the part defines the CTE outcomes. It is a list
-- of CTEs without a comma at the end: continue with a comma.
prioritized AS MATERIALIZED (
    SELECT d.id, d.created_at, d.priority, d.sla_due_at,
           CASE d.priority WHEN 'LOW' THEN 'MEDIUM' WHEN 'MEDIUM' THEN 'HIGH' ELSE 'URGENT' END AS new_priority
    FROM due d
),
dated AS MATERIALIZED (
    SELECT p.*, CASE WHEN p.sla_due_at IS NOT NULL AND p.new_priority <> p.priority
                     THEN COALESCE(CASE WHEN p.created_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31'
                                        THEN p.created_at + make_interval(mins => policy.resolution_minutes) END,
                                   p.sla_due_at)
                     ELSE p.sla_due_at END AS new_due_at
    FROM prioritized p
    LEFT JOIN sla_policies_in_force policy ON policy.priority = p.new_priority
),
raised AS (
    UPDATE tickets t SET priority = d.new_priority, sla_due_at = d.new_due_at, updated_at = $1 FROM dated d
    WHERE t.id = d.id AND d.new_priority <> d.priority
),
outcomes AS (
    SELECT id, NULL::text AS refused, jsonb_build_object('from', priority, 'to', new_priority) AS details FROM dated
)
