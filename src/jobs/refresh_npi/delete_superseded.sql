-- Leaves of an NPI that has more than one line in the main file the last one. {stage} is the staging table.
DELETE FROM {stage} s
USING (SELECT x.npi, max(x.line) AS line FROM {stage} x
       WHERE x.line > 0 AND x.reject IS NULL GROUP BY x.npi HAVING count(*) > 1) r
WHERE s.npi = r.npi AND s.line > 0 AND s.line < r.line AND s.reject IS NULL
