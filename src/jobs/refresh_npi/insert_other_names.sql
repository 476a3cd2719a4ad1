-- Inserts the new other names of NPIs that the registry has.
-- $1 the file's id bigint
INSERT INTO npi_other_names (npi, source, number, name, kind, letter, folded, file_id)
SELECT n.npi, n.source, n.number, n.name, n.kind, n.letter, n.folded, $1
FROM npi_names n JOIN npi_key k ON k.npi = n.npi
WHERE n.number IS NOT NULL
