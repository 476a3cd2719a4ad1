-- Returns one row: counts of the open tickets by risk, and the ids of the tickets that have to be recorded.
-- $1 now timestamptz · $2 limit bigint · $3 only of this facility, a key or NULL
WITH assessed AS MATERIALIZED (
    SELECT t.id, risk.breached, risk.level, {due} AS due
    FROM tickets t
    {risk}
      AND (t.facility_id = $3 OR $3 IS NULL)
)
SELECT count(*) AS checked,
       count(*) FILTER (WHERE breached) AS breached,
       count(*) FILTER (WHERE NOT breached AND level <> 'low') AS at_risk,
       -- Sorted before they are text, which is longer.
       ARRAY(SELECT a.id::text FROM (SELECT id FROM assessed WHERE due AND id IS NOT NULL ORDER BY id LIMIT $2) a) AS due
FROM assessed
