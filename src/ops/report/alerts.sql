-- Returns the alerts of a period, in all and by type, and how long it took until somebody acknowledged one.
-- $1 beginning timestamptz · $2 end timestamptz
SELECT GROUPING(x.alert_type) AS grouping, x.alert_type, count(*) AS raised, count(x.acknowledged_at) AS acknowledged,
       count(*) FILTER (WHERE x.status = 'RESOLVED') AS resolved, count(*) FILTER (WHERE x.status <> 'RESOLVED') AS open,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY w.seconds))::float8 AS median,
       (percentile_cont(0.9) WITHIN GROUP (ORDER BY w.seconds))::float8 AS p90
FROM stage_alerts x
CROSS JOIN LATERAL (SELECT EXTRACT(epoch FROM x.acknowledged_at - x.triggered_at)::float8 AS seconds) w
WHERE x.triggered_at >= $1 AND x.triggered_at < $2
GROUP BY GROUPING SETS ((), (x.alert_type))
ORDER BY 1 DESC, x.alert_type
