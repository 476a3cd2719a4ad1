-- Returns those of the flags that no longer hold, and the visit of each, or NULL if it is deleted.
-- $1 to $5 are the parameters of the joins · $6 visits of the flags, keys · $7 ids of flags, keys
SELECT x.id::text AS id, a.id::text AS visit, ended.by
FROM schedule_flags x
{ended}
AND x.id = ANY ($7)
ORDER BY x.id
