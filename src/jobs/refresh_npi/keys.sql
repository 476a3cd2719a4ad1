-- The key of each new NPI: there cannot be two.
INSERT INTO npi_key (npi, entity_type) SELECT t.npi, t.new_type FROM npi_todo t WHERE t.class = 'I'
