-- Inserts the search rows of other names of individuals that are active, and have changed, or whose other names have.
-- The caller says which.
INSERT INTO search_surgeon (letter, npi, name_number, folded, first_name, last_name, middle_name, address, city, state,
                            zip, primary_taxonomy, other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, d.first_name, d.last_name, d.middle_name, d.practice_address,
       d.practice_city, d.practice_state, d.practice_zip, d.primary_taxonomy, o.name, o.kind
FROM npi_other_names o JOIN npi_data d ON d.npi = o.npi
WHERE {changed} AND d.entity_type = 1 AND d.letter IS NOT NULL AND o.letter IS NOT NULL
