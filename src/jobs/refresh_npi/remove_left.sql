-- What is searched no more as it was leaves the letter that it was in. {table} is the search table, {type} its entity type.
DELETE FROM {table} x USING npi_todo t
WHERE t.class = 'C' AND t.moved AND t.old_type = {type} AND t.old_letter IS NOT NULL
  AND x.letter = t.old_letter AND x.npi = t.npi
