-- Inserts the search rows of individuals that are new, or whose searched columns have changed.
-- The caller provides the rows that are to be carried out.
INSERT INTO search_surgeon (letter, npi, folded, first_name, last_name, middle_name, address, city, state, zip, primary_taxonomy)
SELECT t.new_letter, s.npi, s.folded, s.first_name, s.last_name, s.middle_name, s.practice_address, s.practice_city, s.practice_state,
       s.practice_zip, s.primary_taxonomy
FROM {rows}
WHERE t.class IN ('I', 'C') AND t.moved AND t.new_type = 1 AND t.new_letter IS NOT NULL
