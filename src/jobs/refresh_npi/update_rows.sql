-- Updates the stored row of each NPI whose full row has changed. {stage} is the staging table, {assignments} sets each
-- column.
-- $1 the file's id bigint
UPDATE npi_data d SET {assignments}, raw = s.raw, letter = t.new_letter, file_id = $1
FROM npi_todo t JOIN {stage} s ON s.line = t.line
WHERE t.class = 'C' AND NOT t.bare AND d.npi = t.npi AND d.entity_type = t.new_type
