-- Inserts the new other names of NPIs that the registry has. The caller provides the names that are to be
-- written.
-- $1 the file's id bigint
INSERT INTO npi_other_names (npi, source, number, name, kind, letter, folded, file_id)
SELECT n.npi, n.source, n.number, n.name, n.kind, n.letter, n.folded, $1
FROM {names} JOIN npi_key k ON k.npi = n.npi
WHERE n.number IS NOT NULL
