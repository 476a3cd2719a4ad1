-- Inserts the search rows of other names of organizations that are active, and have changed, or whose other names have.
-- The caller says which.
INSERT INTO search_facility (letter, npi, name_number, folded, facility_name, address, city, state, zip,
                             primary_taxonomy, other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, d.organization_name, d.practice_address, d.practice_city, d.practice_state,
       d.practice_zip, d.primary_taxonomy, o.name, o.kind
FROM npi_other_names o JOIN npi_data d ON d.npi = o.npi
WHERE {changed} AND d.entity_type = 2 AND d.letter IS NOT NULL AND o.letter IS NOT NULL
