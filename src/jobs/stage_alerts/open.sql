-- Returns open alerts, in the order of their ids. Their visits are looked at in another statement, because only a
-- parameter can find a visit by text.
-- $1 the last id that is known bigint · $2 limit bigint
SELECT x.id, x.appointment_id
FROM stage_alerts x
WHERE x.id > $1 AND x.status IN ('ACTIVE', 'ACKNOWLEDGED')
ORDER BY x.id
LIMIT $2
