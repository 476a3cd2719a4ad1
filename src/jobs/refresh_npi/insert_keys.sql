-- Inserts the key of each new NPI. The primary key refuses a second row of the same NPI, in whichever partition it is.
INSERT INTO npi_key (npi, entity_type) SELECT t.npi, t.new_type FROM npi_todo t WHERE t.class = 'I'
