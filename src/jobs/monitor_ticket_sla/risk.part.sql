-- Joins and the WHERE clause for open tickets with a date: they add risk (breached, level, due_text), the last record,
-- and news (notify, improved), the change since that record.
-- The caller provides the relation t, a row of tickets, and the joins of due_at.part.sql in braces. It ends inside the
-- WHERE: continue with AND.
-- $1 now timestamptz
{due_at}
CROSS JOIN LATERAL (
    SELECT $1 > sla.due_at AS breached,
           -- The shares are computed in whole microseconds, so that exactly 10 % and 25 % are not below the limit.
           CASE WHEN $1 > sla.due_at OR sane.filed_at IS NULL OR sla.due_at <= sane.filed_at THEN 'high'
                WHEN (sla.due_at - $1) * 10 < sla.due_at - sane.filed_at THEN 'high'
                WHEN (sla.due_at - $1) * 4 < sla.due_at - sane.filed_at THEN 'medium'
                ELSE 'low' END AS level,
           to_char(sla.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS due_text
) risk
LEFT JOIN LATERAL (
    SELECT h.details ->> 'breachRisk' AS level, h.details ->> 'isCompliant' = 'false' AS breached,
           h.details ->> 'dueAt' AS due_text
    FROM ticket_history h WHERE h.ticket_id = t.id::text AND h.action = 'sla_status_checked'
    ORDER BY h.id DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
    -- A breach is worse than any risk of it.
    SELECT CASE WHEN risk.breached THEN 4 ELSE array_position(ARRAY['low', 'medium', 'high'], risk.level) END AS now,
           CASE WHEN last.breached THEN 4 ELSE array_position(ARRAY['low', 'medium', 'high'], last.level) END AS before
) rank
CROSS JOIN LATERAL (
    -- notify: the ticket is at risk, and the risk is new or worse, or the date has moved. improved: the risk is better.
    SELECT risk.level <> 'low'
               AND (rank.before IS NULL OR rank.now > rank.before OR COALESCE(last.due_text <> risk.due_text, false))
               AS notify,
           COALESCE(rank.now < rank.before, false) AS improved
) news
WHERE t.status NOT IN ('RESOLVED', 'CLOSED') AND sla.due_at IS NOT NULL
