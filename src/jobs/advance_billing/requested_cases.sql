-- Returns the cases that a person requests, in their order, with the facts that may prevent an update of each. The id
-- is that of the row; of a case that does not exist, it is what was requested, as the server writes it. Two texts of one
-- id, such as 7 and 007, are two rows with the same id.
-- $1 now timestamptz · $2 ids of cases, keys
-- $3 the minimum dwell time in seconds double precision, or NULL for that of the transition · $4 the new status integer
-- The caller provides the condition that a case is held back, and the statuses and the dwell time of a transition.
WITH found AS MATERIALIZED (
    SELECT c.id, c.active, c.case_status, c.facility_id FROM surgical_cases c WHERE c.id = ANY ($2)
)
SELECT COALESCE(c.id::text, requested.id::text) AS id, c.id IS NOT NULL AS known, COALESCE(c.active, false) AS active,
       {case_status} AS status, c.facility_id::text AS facility,
       t.dwell IS NOT NULL AS transition, t.dwell IS NOT NULL AND
       {held_back} AS held_back,
       COALESCE(t.dwell, 0) AS dwell
FROM unnest($2) WITH ORDINALITY AS requested (id, position)
LEFT JOIN found c ON c.id = requested.id
LEFT JOIN LATERAL (SELECT COALESCE($3, {min_dwell}) AS dwell FROM surgical_case_transitions t
                   WHERE t.from_status = c.case_status AND t.to_status = $4 LIMIT 1) t ON true
ORDER BY requested.position
