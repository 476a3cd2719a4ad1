-- Deletes the other names that are to be replaced.
DELETE FROM npi_other_names o USING (SELECT DISTINCT n.npi, n.source FROM npi_names n) d
WHERE o.npi = d.npi AND o.source = d.source
