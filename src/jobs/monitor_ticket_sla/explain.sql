-- Returns a ticket, its risk with the last record, and whether it is due by the rule. What is only known of an open
-- ticket with a date is NULL for others.
-- $1 now timestamptz · $2 id of the ticket, a key
SELECT t.id::text AS id, t.facility_id::text AS facility_id, t.status::text AS status,
       t.status NOT IN ('RESOLVED', 'CLOSED') AS open, assessed.due_at, assessed.filed_at, assessed.breached,
       assessed.level, assessed.improved, COALESCE(assessed.due, false) AS due
FROM tickets t
LEFT JOIN LATERAL (
    SELECT sla.due_at, sane.filed_at, risk.breached, risk.level, news.improved, {due} AS due
    FROM (SELECT t.id, t.status, t.priority, t.created_at, t.sla_due_at, t.custom_sla_due_at) t
    {risk}
) assessed ON true
WHERE t.id = $2
