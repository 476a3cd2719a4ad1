-- When ticket `t` must be resolved, as `sla.due_at`: what was promised for it alone, else its SLA's date, else what the
-- newest active policy for its priority gives. A date after the year 9999, such as infinity, is none, and one before the
-- first year is its beginning: whatever is reckoned with such dates could be an error, which ends the statement for all.
LEFT JOIN sla_policies_in_force policy ON policy.priority = t.priority
CROSS JOIN LATERAL (
    SELECT CASE WHEN t.created_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31' THEN t.created_at END AS filed_at
) sane
CROSS JOIN LATERAL (
    SELECT COALESCE(t.custom_sla_due_at, t.sla_due_at,
                    sane.filed_at + make_interval(mins => policy.resolution_minutes)) AS at
) promised
CROSS JOIN LATERAL (
    SELECT CASE WHEN promised.at <= timestamptz '9999-12-31' THEN GREATEST(promised.at, timestamptz '0001-01-01') END AS due_at
) sla
