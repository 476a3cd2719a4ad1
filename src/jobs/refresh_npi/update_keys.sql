-- Updates the key of each NPI whose entity type has changed. The foreign key cascades, and so moves the row of npi_data
-- to the partition of the new type.
UPDATE npi_key k SET entity_type = t.new_type FROM npi_todo t
WHERE k.npi = t.npi AND k.entity_type = t.old_type AND t.class = 'C' AND t.new_type <> t.old_type
