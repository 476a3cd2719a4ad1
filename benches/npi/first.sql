-- The first file, staged in `staged`, made into the same tables as somebody does who knows that there is nothing yet: rows
-- first, keys and indexes last, with the memory that the program takes. Variable: name.
\ir stored.sql
SET jit = off;
SET maintenance_work_mem = '256MB';
SET work_mem = '128MB';
BEGIN;
SELECT nextval(pg_get_serial_sequence('npi_files', 'id')) AS file \gset

SELECT npi_indexes_off();
INSERT INTO npi_key (npi, entity_type) SELECT npi, entity_type FROM staged;
INSERT INTO npi_data
SELECT :stored, :file
FROM staged s;
INSERT INTO search_surgeon (letter, npi, folded, first_name, last_name, middle_name, address, city, state, zip,
                            primary_taxonomy)
SELECT letter, npi, folded, first_name, last_name, middle_name, practice_address, practice_city, practice_state,
       practice_zip, primary_taxonomy
FROM staged WHERE entity_type = 1 AND letter IS NOT NULL;
INSERT INTO search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
SELECT letter, npi, folded, organization_name, practice_address, practice_city, practice_state, practice_zip, primary_taxonomy
FROM staged WHERE entity_type = 2 AND letter IS NOT NULL;
INSERT INTO npi_other_names (npi, source, number, name, kind, letter, folded, file_id)
SELECT npi, source, number, name, kind, letter, folded, :file FROM staged_names;
INSERT INTO search_surgeon (letter, npi, name_number, folded, first_name, last_name, middle_name, address, city, state,
                            zip, primary_taxonomy, other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, s.first_name, s.last_name, s.middle_name, s.practice_address, s.practice_city,
       s.practice_state, s.practice_zip, s.primary_taxonomy, o.name, o.kind
FROM staged s JOIN staged_names o USING (npi)
WHERE s.entity_type = 1 AND s.letter IS NOT NULL AND o.letter IS NOT NULL;
INSERT INTO search_facility (letter, npi, name_number, folded, facility_name, address, city, state, zip, primary_taxonomy,
                             other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, s.organization_name, s.practice_address, s.practice_city, s.practice_state,
       s.practice_zip, s.primary_taxonomy, o.name, o.kind
FROM staged s JOIN staged_names o USING (npi)
WHERE s.entity_type = 2 AND s.letter IS NOT NULL AND o.letter IS NOT NULL;
SELECT npi_indexes_on();

INSERT INTO npi_files (id, name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2,
                       inserted, updated, unchanged, older, duplicates, deactivated, rejected, seconds, processed_at, run_id)
OVERRIDING SYSTEM VALUE
SELECT :file, :'name', 'MONTHLY', :'name', 0, '2026-07-13', '2026-07-19', '', count(*), count(*) FILTER (WHERE entity_type = 0),
       count(*) FILTER (WHERE entity_type = 1), count(*) FILTER (WHERE entity_type = 2), count(*),
       0, 0, 0, 0, 0, 0, 0, now(), gen_random_uuid()
FROM staged;
COMMIT;
