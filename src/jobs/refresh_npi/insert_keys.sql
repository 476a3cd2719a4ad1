-- Inserts the key of each new NPI. The primary key refuses a second row of the same NPI, in whichever partition it is.
-- The caller provides the rows that are to be carried out.
INSERT INTO npi_key (npi, entity_type) SELECT t.npi, t.new_type FROM {todo} WHERE t.class = 'I'
