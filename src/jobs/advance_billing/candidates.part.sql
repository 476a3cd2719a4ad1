-- Surgical cases `c` that a step begins with.
-- $1 now timestamptz · $2 status that it begins with integer · $3 least dwell, seconds double precision
WHERE c.active AND c.case_status = $2
