-- Joins that add `sla.due_at` to a ticket `t`, the date at which it must be resolved: its own date, else its SLA's
-- date, else the date by the newest active policy for its priority. A date after the year 9999, such as infinity,
-- counts as none, and a date before the year 1 counts as its beginning, because arithmetic with such dates can raise an
-- error, which would end the statement for all tickets.
-- The caller provides the relation t, a row of tickets, the policies in force and the expression of the creation. It
-- begins with LEFT JOIN, so it follows `FROM tickets t`; the caller continues with a join or with WHERE.
LEFT JOIN (
{policies}
) policy ON policy.priority = t.priority::text
CROSS JOIN LATERAL (SELECT {filed_at} AS filed_at) sane
CROSS JOIN LATERAL (
    SELECT COALESCE(t.custom_sla_due_at::timestamptz, t.sla_due_at::timestamptz,
                    sane.filed_at + make_interval(mins => policy.minutes)) AS at
) promised
CROSS JOIN LATERAL (
    SELECT CASE WHEN promised.at <= timestamptz '9999-12-31'
                THEN GREATEST(promised.at, timestamptz '0001-01-01') END AS due_at
) sla
