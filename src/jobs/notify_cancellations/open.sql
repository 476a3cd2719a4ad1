-- Returns the open rows of the ledger, in the order of their ids. Their visits are looked at in another statement,
-- because only a parameter can find a visit by text. A visit that began before the window is not booked again.
-- $1 the last id that is known bigint · $2 first date in any time zone date · $3 limit bigint
SELECT x.id, x.appointment_id
FROM visit_cancellations x
WHERE x.id > $1 AND x.ended_at IS NULL AND x.appointment_id IS NOT NULL AND x.visit_start >= $2
ORDER BY x.id
LIMIT $3
