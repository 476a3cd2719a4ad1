-- Deletes the old search row of each NPI whose searched columns have changed, from the partition of its old letter.
-- {table} is the search table, {type} its entity type.
DELETE FROM {table} x USING npi_todo t
WHERE t.class = 'C' AND t.moved AND t.old_type = {type} AND t.old_letter IS NOT NULL
  AND x.letter = t.old_letter AND x.npi = t.npi AND x.name_number = 0
