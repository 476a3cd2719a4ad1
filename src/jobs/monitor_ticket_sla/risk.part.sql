-- Open tickets `t` that have a date, with their risk, and what was recorded of it last.
-- $1 now timestamptz
{due_at}
CROSS JOIN LATERAL (
    SELECT $1 > sla.due_at AS breached,
           -- Shares of the time between creation and date, in whole microseconds: 10 and 25 % exactly are not below them.
           CASE WHEN $1 > sla.due_at OR sane.filed_at IS NULL OR sla.due_at <= sane.filed_at THEN 'high'
                WHEN (sla.due_at - $1) * 10 < sla.due_at - sane.filed_at THEN 'high'
                WHEN (sla.due_at - $1) * 4 < sla.due_at - sane.filed_at THEN 'medium'
                ELSE 'low' END AS level,
           to_char(sla.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS due_text
) risk
LEFT JOIN LATERAL (
    SELECT h.details ->> 'breachRisk' AS level, h.details ->> 'isCompliant' = 'false' AS breached,
           h.details ->> 'dueAt' AS due_text
    FROM ticket_history h WHERE h.ticket_id = t.id AND h.action = 'sla_status_checked'
    ORDER BY h.id DESC LIMIT 1
) last ON true
CROSS JOIN LATERAL (
    -- A breach is worse than any risk of it.
    SELECT CASE WHEN risk.breached THEN 4 ELSE array_position(ARRAY['low', 'medium', 'high'], risk.level) END AS now,
           CASE WHEN last.breached THEN 4 ELSE array_position(ARRAY['low', 'medium', 'high'], last.level) END AS before
) rank
CROSS JOIN LATERAL (
    -- Told: it is at risk, and that is news. Recorded: also that it is better.
    SELECT risk.level <> 'low'
               AND (rank.before IS NULL OR rank.now > rank.before OR COALESCE(last.due_text <> risk.due_text, false))
               AS told,
           COALESCE(rank.now < rank.before, false) AS better
) news
WHERE t.status NOT IN ('RESOLVED', 'CLOSED') AND sla.due_at IS NOT NULL
