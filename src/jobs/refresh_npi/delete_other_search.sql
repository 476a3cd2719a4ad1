-- Deletes the search rows of other names of each NPI that has changed, or whose other names have. {table} is the search
-- table.
DELETE FROM {table} x USING npi_other_names o
WHERE o.npi IN (SELECT t.npi FROM npi_todo t WHERE t.class = 'C' UNION SELECT n.npi FROM npi_names n)
  AND x.letter = o.letter AND x.npi = o.npi AND x.name_number = o.number
