-- Joins that add `sla.due_at` to a ticket `t`, the date at which it must be resolved: its own date, else its SLA's
-- date, else the date by the newest active policy for its priority. A date after the year 9999, such as infinity,
-- counts as none, and a date before the year 1 counts as its beginning, because arithmetic with such dates can raise an
-- error, which would end the statement for all tickets.
-- The caller provides the relation t, a row of tickets. It begins with LEFT JOIN, so it follows `FROM tickets t`; the
-- caller continues with a join or with WHERE.
LEFT JOIN sla_policies_in_force policy ON policy.priority = t.priority
CROSS JOIN LATERAL (
    SELECT CASE WHEN t.created_at BETWEEN timestamptz '0001-01-01' AND timestamptz '9999-12-31'
                THEN t.created_at END AS filed_at
) sane
CROSS JOIN LATERAL (
    SELECT COALESCE(t.custom_sla_due_at, t.sla_due_at,
                    sane.filed_at + make_interval(mins => policy.resolution_minutes)) AS at
) promised
CROSS JOIN LATERAL (
    SELECT CASE WHEN promised.at <= timestamptz '9999-12-31'
                THEN GREATEST(promised.at, timestamptz '0001-01-01') END AS due_at
) sla
