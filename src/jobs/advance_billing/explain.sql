-- Returns a case, and whether it is due by the step of a stage.
-- $1 to $3 are the parameters of candidates.part.sql · $4 id of the case, a key
-- The caller provides the expression of the status, and the rule.
SELECT c.id::text AS id, c.facility_id::text AS facility_id, COALESCE(c.active, false) AS active, {status} AS status,
       moved.at AS moved_at, moved.at + make_interval(secs => $3) AS dwelt_at,
       EXISTS (SELECT FROM surgical_cases c {due} AND c.id = $4) AS due
FROM surgical_cases c
-- When the job itself brought it to its status.
CROSS JOIN LATERAL (
    SELECT max(h.created_at) AS at FROM surgical_case_status_history h
    WHERE h.case_id = c.id::text AND h.to_status = c.case_status AND h.run_id IS NOT NULL
) moved
WHERE c.id = $4
