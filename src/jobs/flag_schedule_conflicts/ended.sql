-- Returns those of the flags that no longer hold, and the visit of each, or NULL if it is deleted.
-- $1 to $6 are the parameters of the joins · $7 visits of the flags, keys · $8 ids of flags, keys
SELECT x.id::text AS id, a.id::text AS visit, ended.by
FROM schedule_flags x
{ended}
AND x.id = ANY ($8)
ORDER BY x.id
