-- Inserts the row of each new NPI. {stage} is the staging table, {columns} are the columns that are copied.
-- $1 the file's id bigint
INSERT INTO npi_data (npi, entity_type, {columns}, letter, file_id)
SELECT s.npi, t.new_type, {columns}, t.new_letter, $1
FROM npi_todo t JOIN {stage} s ON s.line = t.line
WHERE t.class = 'I'
