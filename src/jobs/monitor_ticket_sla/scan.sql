-- One row: how the open tickets stand, and the ids of those of which something is to be recorded.
-- $1 now timestamptz · $2 limit bigint
WITH judged AS MATERIALIZED (
    SELECT t.id, risk.breached, risk.level, {due} AS due
    FROM tickets t
    {risk}
)
SELECT count(*) AS checked,
       count(*) FILTER (WHERE breached) AS breached,
       count(*) FILTER (WHERE NOT breached AND level <> 'low') AS at_risk,
       ARRAY(SELECT id FROM judged WHERE due ORDER BY id LIMIT $2) AS due
FROM judged
