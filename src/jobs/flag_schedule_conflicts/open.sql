-- Returns open flags, in the order of their ids. Their visits are looked at in another statement, because only a
-- parameter can find a visit by text.
-- $1 the last id that is known bigint · $2 limit bigint · $3 only of this facility text or NULL
SELECT x.id, x.appointment_id
FROM schedule_flags x
WHERE x.id > $1 AND x.cleared_at IS NULL AND (x.facility_id = $3 OR $3 IS NULL)
ORDER BY x.id
LIMIT $2
