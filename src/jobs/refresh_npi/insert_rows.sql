-- Inserts the row of each new NPI. {columns} are the columns that are copied. Of a row that says only that the NPI is
-- deactivated no raw row is kept. The caller provides the rows that are to be carried out.
-- $1 the file's id bigint
INSERT INTO npi_data (npi, entity_type, {columns}, raw, letter, file_id)
SELECT s.npi, t.new_type, {columns}, CASE WHEN NOT s.bare THEN s.raw END, t.new_letter, $1
FROM {rows}
WHERE t.class = 'I'
