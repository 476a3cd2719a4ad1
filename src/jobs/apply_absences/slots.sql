-- Returns the slots that are to be blocked, each with its visit, the next first; and those of the days of a leave whose
-- start cannot be read.
-- $1 to $6 are the parameters of the rule · $7 limit bigint
SELECT found.id::text AS id, found.visit, found.is_unreadable
FROM (
    SELECT s.id, s.appointment_id::text AS visit, slot.starts_at, slot.starts_at IS NULL AS is_unreadable
    {slots} AND s.id IS NOT NULL AND tz.zone IS NOT NULL AND leave.begins_at IS NOT NULL
    AND CASE WHEN slot.starts_at IS NULL THEN NOT s.is_blocked ELSE {blocked} END
) found
GROUP BY found.id, found.visit, found.starts_at, found.is_unreadable
ORDER BY found.is_unreadable, found.starts_at, found.id LIMIT $7
