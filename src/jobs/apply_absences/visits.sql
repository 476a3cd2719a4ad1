-- Returns the visits that are to be cancelled, the next first; and those inside the days of an emergency whose start
-- cannot be read, which cannot be judged.
-- $1 to $6 are the parameters of the rule · $7 limit bigint
SELECT found.id::text AS id, found.is_unreadable
FROM (
    SELECT a.id, visit.starts_at, visit.starts_at IS NULL AS is_unreadable
    {visits} AND {cancels} AND a.id IS NOT NULL AND tz.zone IS NOT NULL AND leave.begins_at IS NOT NULL
    AND (visit.starts_at IS NULL OR ({on_leave}))
) found
GROUP BY found.id, found.starts_at, found.is_unreadable
ORDER BY found.is_unreadable, found.starts_at, found.id LIMIT $7
