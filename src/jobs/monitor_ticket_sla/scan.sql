-- Returns one row: counts of the open tickets by risk, and the ids of the tickets that have to be recorded.
-- $1 now timestamptz · $2 limit bigint
WITH assessed AS MATERIALIZED (
    SELECT t.id, risk.breached, risk.level, {due} AS due
    FROM tickets t
    {risk}
)
SELECT count(*) AS checked,
       count(*) FILTER (WHERE breached) AS breached,
       count(*) FILTER (WHERE NOT breached AND level <> 'low') AS at_risk,
       ARRAY(SELECT a.id::text FROM assessed a WHERE a.due ORDER BY a.id LIMIT $2) AS due
FROM assessed
