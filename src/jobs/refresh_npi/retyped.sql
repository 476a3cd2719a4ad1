-- An NPI of another type than before: the foreign key takes its row to the other partition.
UPDATE npi_key k SET entity_type = t.new_type FROM npi_todo t
WHERE k.npi = t.npi AND k.entity_type = t.old_type AND t.class = 'C' AND t.new_type <> t.old_type
