-- Returns those of the absences that are withdrawn or gone.
-- $1 ids of absences, keys · $2 the same as text[]
SELECT asked.id
FROM unnest($2) AS asked (id)
WHERE NOT EXISTS (SELECT FROM doctor_absences x
                  WHERE x.id = ANY ($1) AND x.id::text = asked.id AND x.status = 'ACTIVE')
ORDER BY asked.id
