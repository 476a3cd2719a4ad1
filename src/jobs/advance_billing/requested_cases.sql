-- The cases that a person asks for, in their order, and what stands in the way of each.
-- $1 now timestamptz · $2 ids of cases bigint[] · $3 least dwell, seconds double precision, or NULL: the transition's
-- $4 status that they are to have integer
SELECT asked.id, COALESCE(c.active, false) AS active, c.case_status AS status, c.facility_id AS facility,
       t.stage IS NOT NULL AS transition, t.stage IS NOT NULL AND
       {held_back} AS held_back,
       COALESCE($3, EXTRACT(epoch FROM t.min_dwell)::double precision, 0) AS dwell
FROM unnest($2) WITH ORDINALITY AS asked (id, position)
LEFT JOIN surgical_cases c ON c.id = asked.id
LEFT JOIN surgical_case_transitions t ON t.from_status = c.case_status AND t.to_status = $4
ORDER BY asked.position
