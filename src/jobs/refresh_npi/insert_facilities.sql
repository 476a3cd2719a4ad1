-- Inserts the search rows of organizations that are new, or whose searched columns have changed.
-- The caller provides the rows that are to be carried out.
INSERT INTO search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
SELECT t.new_letter, s.npi, s.folded, s.organization_name, s.practice_address, s.practice_city, s.practice_state,
       s.practice_zip, s.primary_taxonomy
FROM {rows}
WHERE t.class IN ('I', 'C') AND t.moved AND t.new_type = 2 AND t.new_letter IS NOT NULL
