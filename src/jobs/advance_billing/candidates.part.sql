-- The WHERE clause for the candidates of a step: active cases with its first status.
-- The caller provides the relation c, a row of surgical_cases. It ends inside the WHERE: continue with AND.
-- $1 now timestamptz · $2 the first status integer · $3 the minimum dwell time in seconds double precision
WHERE c.active AND c.case_status = $2
