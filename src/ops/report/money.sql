-- Returns what surgical cases were worth that came to a status, by week and status. A week begins on Monday.
-- $1 keys of the cases · $2 beginning timestamptz · $3 end timestamptz · $4 the zone of the schedule text
WITH moved AS (
    SELECT h.case_id, h.to_status, date_trunc('week', h.created_at AT TIME ZONE $4)::date AS week
    FROM surgical_case_status_history h
    WHERE h.created_at >= $2 AND h.created_at < $3
),
worth AS (
    SELECT s.id::text AS id, s.pay_amount FROM surgical_cases s WHERE s.id = ANY ($1)
),
c AS (
    SELECT m.week, m.to_status, w.pay_amount FROM moved m LEFT JOIN worth w ON w.id = m.case_id
)
SELECT c.week, c.to_status, count(*) AS cases,
       {worth}
FROM c
GROUP BY c.week, c.to_status
ORDER BY c.to_status, c.week
