-- One step up, URGENT at most; the SLA's date follows the newest active policy for the new priority, where there is one.
-- What was promised for the ticket alone stays.
judged AS MATERIALIZED (
    SELECT d.id, d.created_at, d.priority, d.sla_due_at,
           CASE d.priority WHEN 'LOW' THEN 'MEDIUM' WHEN 'MEDIUM' THEN 'HIGH' ELSE 'URGENT' END AS new_priority
    FROM due d
),
dated AS MATERIALIZED (
    SELECT j.*, CASE WHEN j.sla_due_at IS NOT NULL AND j.new_priority <> j.priority
                     THEN COALESCE(CASE WHEN j.created_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31'
                                        THEN j.created_at + make_interval(mins => policy.resolution_minutes) END,
                                   j.sla_due_at)
                     ELSE j.sla_due_at END AS new_due_at
    FROM judged j
    LEFT JOIN sla_policies_in_force policy ON policy.priority = j.new_priority
),
raised AS (
    UPDATE tickets t SET priority = d.new_priority, sla_due_at = d.new_due_at, updated_at = $1 FROM dated d
    WHERE t.id = d.id AND d.new_priority <> d.priority
),
acted AS (
    SELECT id, NULL::text AS refused, jsonb_build_object('from', priority, 'to', new_priority) AS details FROM dated
)
