-- Returns those of the rows of the ledger whose visit is CANCELLED no more, and the visit of each.
-- $1 visits of the rows, keys · $2 ids of rows, keys · $3 only visits of this facility, a key or NULL
SELECT x.id::text AS id, a.id::text AS visit
FROM visit_cancellations x
{ended}
AND x.id = ANY ($2)
AND (a.facility_id = $3 OR $3 IS NULL)
ORDER BY x.id
