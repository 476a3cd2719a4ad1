-- Returns the cases that a person requests, in their order, with the facts that may prevent an update of each.
-- $1 now timestamptz · $2 ids of cases bigint[]
-- $3 the minimum dwell time in seconds double precision, or NULL for that of the transition · $4 the new status integer
SELECT requested.id, COALESCE(c.active, false) AS active, c.case_status AS status, c.facility_id AS facility,
       t.stage IS NOT NULL AS transition, t.stage IS NOT NULL AND
       {held_back} AS held_back,
       COALESCE($3, EXTRACT(epoch FROM t.min_dwell)::double precision, 0) AS dwell
FROM unnest($2) WITH ORDINALITY AS requested (id, position)
LEFT JOIN surgical_cases c ON c.id = requested.id
LEFT JOIN surgical_case_transitions t ON t.from_status = c.case_status AND t.to_status = $4
ORDER BY requested.position
