-- Updates the stored row of each NPI of which the file says only that it is deactivated: the date and the code change,
-- all other columns stay. {stage} is the staging table.
-- $1 the file's id bigint
UPDATE npi_data d SET deactivated_on = s.deactivated_on, letter = t.new_letter, file_id = $1,
                      deactivation_code = COALESCE(s.deactivation_code, d.deactivation_code)
FROM npi_todo t JOIN {stage} s ON s.line = t.line
WHERE t.class = 'C' AND t.bare AND d.npi = t.npi AND d.entity_type = t.new_type
