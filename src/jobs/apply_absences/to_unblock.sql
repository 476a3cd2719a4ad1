-- Returns the slots that were blocked for one of these absences, and are outside of it now, the next first.
-- $1 to $6 are the parameters of the rule · $7 ids of absences, keys · $8 the same as text[] · $9 limit bigint
WITH
-- An absence of which a day cannot be read covers what it covered.
now_covered AS MATERIALIZED (
    SELECT x.id::text AS absence_id, d.id::text AS doctor_id, leave.begins_at, leave.ends_at
    {leaves} AND x.id = ANY ($7)
)
SELECT b.slot_id AS id
FROM blocked_slots b
LEFT JOIN now_covered c ON c.absence_id = b.absence_id AND c.doctor_id = b.doctor_id
WHERE b.absence_id = ANY ($8) AND b.unblocked_at IS NULL AND b.ends_at > $1
  AND (c.absence_id IS NULL
       OR NOT (c.begins_at < c.ends_at AND b.starts_at < c.ends_at
               AND (b.ends_at > c.begins_at OR b.starts_at >= c.begins_at)))
ORDER BY b.starts_at, b.id LIMIT $9
