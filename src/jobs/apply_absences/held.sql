-- Returns the absences that would cancel more visits than a run may cancel for one without a person's word.
-- $1 to $6 are the parameters of the rule · $7 the most visits bigint
SELECT x.id::text AS id
{visits} AND {cancels} AND {on_leave}
GROUP BY x.id
HAVING count(*) > $7
ORDER BY x.id
