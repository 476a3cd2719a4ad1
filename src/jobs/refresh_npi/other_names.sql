-- Compares the other names in a staged file with the stored ones; the merge keeps the result in the temporary table
-- npi_names: of each NPI and source whose names are to be replaced the new ones, or one row without a number where there
-- is none. The caller provides the names in the file. {end} is the last day of its period, {has_file} whether the zip had the
-- file of other names.
WITH
new AS (
    {new}),
-- Whose names are in the file, or are stored and perhaps not in the file any more.
candidates AS (
    SELECT n.npi, n.source FROM new n
    UNION
    SELECT o.npi, o.source FROM npi_todo t JOIN npi_other_names o ON o.npi = t.npi WHERE t.class IN ('C', 'U') AND NOT t.bare
),
-- Of them those of which the file says all names: with a row that is taken, it does so of the one in the main file; and,
-- where it is there, the file of other names of all others. What a newer file has said stays.
said AS (
    SELECT c.npi, c.source FROM candidates c LEFT JOIN npi_todo t ON t.npi = c.npi
    WHERE (c.source = 'MAIN' AND t.class IN ('I', 'C') AND NOT t.bare)
       OR (c.source = 'OTHER_NAMES' AND {has_file} AND (t.npi IS NULL OR t.class <> 'O' AND NOT t.bare)
           AND NOT EXISTS (SELECT FROM npi_other_names o JOIN npi_files f ON f.id = o.file_id
                           WHERE o.npi = c.npi AND o.source = 'OTHER_NAMES' AND f.period_end > '{end}'))
),
kept AS (
    SELECT o.npi, o.source, o.number, o.name, o.kind FROM npi_other_names o JOIN said w USING (npi, source)
),
wanted AS (
    SELECT n.* FROM new n JOIN said w USING (npi, source)
),
differs AS (
    SELECT x.npi, x.source FROM (
        (SELECT w.npi, w.source, w.number, w.name, w.kind FROM wanted w EXCEPT SELECT * FROM kept)
        UNION ALL
        (SELECT * FROM kept EXCEPT SELECT w.npi, w.source, w.number, w.name, w.kind FROM wanted w)
    ) x
    GROUP BY x.npi, x.source
)
SELECT d.npi, d.source, w.number, w.name, w.kind, w.letter, w.folded
FROM differs d LEFT JOIN wanted w USING (npi, source)
ORDER BY d.npi, w.number
