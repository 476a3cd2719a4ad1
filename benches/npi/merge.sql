-- A weekly file, staged in `staged`, merged as somebody does who knows what is in it and times each statement. It must
-- leave what the program leaves. Variable: name.
\ir stored.sql
BEGIN;
SET LOCAL jit = off;
-- 34,000 look-ups in ten million rows: cheaper than it seems to a planner that thinks of a disk with a head.
SET LOCAL random_page_cost = 1.1;
SET LOCAL work_mem = '64MB';
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT nextval(pg_get_serial_sequence('npi_files', 'id')) AS file \gset

ANALYZE staged (npi);
ANALYZE staged_names (npi);
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT s.npi, s.entity_type, k.entity_type AS old_type, d.letter AS old_letter,
       s.entity_type = 0 AND s.enumerated_on IS NULL AS only_date,
       (d.letter, d.last_name, d.first_name, d.middle_name, d.organization_name, d.practice_address, d.practice_city,
        d.practice_state, d.practice_zip, d.primary_taxonomy)
       IS DISTINCT FROM
       (s.letter, s.last_name, s.first_name, s.middle_name, s.organization_name, s.practice_address, s.practice_city,
        s.practice_state, s.practice_zip, s.primary_taxonomy) AS moved
FROM staged s
LEFT JOIN npi_key k ON k.npi = s.npi
LEFT JOIN npi_data d ON d.npi = k.npi AND d.entity_type = k.entity_type
WHERE d.npi IS NULL
   OR (s.hash IS DISTINCT FROM d.hash AND COALESCE(s.updated_on >= d.updated_on, true))
ORDER BY s.npi;
ANALYZE change;

-- The foreign key moves these to the other partition.
UPDATE npi_key k SET entity_type = c.entity_type FROM change c
WHERE k.npi = c.npi AND NOT c.only_date AND c.old_type <> c.entity_type;
UPDATE npi_data d
SET replacement_npi = s.replacement_npi, organization_name = s.organization_name, last_name = s.last_name,
    first_name = s.first_name, middle_name = s.middle_name, credential = s.credential, other_name = s.other_name,
    mailing_address = s.mailing_address, mailing_city = s.mailing_city, mailing_state = s.mailing_state,
    mailing_zip = s.mailing_zip, mailing_phone = s.mailing_phone, practice_address = s.practice_address,
    practice_city = s.practice_city, practice_state = s.practice_state, practice_zip = s.practice_zip,
    practice_country = s.practice_country, practice_phone = s.practice_phone, practice_fax = s.practice_fax,
    enumerated_on = s.enumerated_on, updated_on = s.updated_on, deactivated_on = s.deactivated_on,
    reactivated_on = s.reactivated_on, deactivation_code = s.deactivation_code, sex = s.sex,
    primary_taxonomy = s.primary_taxonomy, taxonomies = s.taxonomies, licences = s.licences, letter = s.letter,
    hash = s.hash, raw = s.raw, file_id = :file
FROM change c JOIN staged s USING (npi)
WHERE NOT c.only_date AND c.old_type IS NOT NULL AND d.npi = c.npi AND d.entity_type = c.entity_type;
UPDATE npi_data d SET deactivated_on = s.deactivated_on, letter = NULL, file_id = :file
FROM change c JOIN staged s USING (npi)
WHERE c.only_date AND c.old_type IS NOT NULL AND d.npi = c.npi AND d.entity_type = c.old_type;

INSERT INTO npi_key (npi, entity_type) SELECT npi, entity_type FROM change WHERE old_type IS NULL;
INSERT INTO npi_data
SELECT :stored, :file
FROM change c JOIN staged s USING (npi)
WHERE c.old_type IS NULL;

-- From the old letter only; looked up there, and not joined with all letters.
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
DELETE FROM search_surgeon t USING change c
WHERE c.old_type = 1 AND c.moved AND t.letter = c.old_letter AND t.npi = c.npi AND t.name_number = 0;
DELETE FROM search_facility t USING change c
WHERE c.old_type = 2 AND c.moved AND t.letter = c.old_letter AND t.npi = c.npi AND t.name_number = 0;
DELETE FROM search_surgeon t USING change c JOIN npi_other_names o USING (npi)
WHERE t.letter = o.letter AND t.npi = o.npi AND t.name_number = o.number;
DELETE FROM search_facility t USING change c JOIN npi_other_names o USING (npi)
WHERE t.letter = o.letter AND t.npi = o.npi AND t.name_number = o.number;
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;
INSERT INTO search_surgeon (letter, npi, folded, first_name, last_name, middle_name, address, city, state, zip,
                            primary_taxonomy)
SELECT s.letter, s.npi, s.folded, s.first_name, s.last_name, s.middle_name, s.practice_address, s.practice_city, s.practice_state,
       s.practice_zip, s.primary_taxonomy
FROM change c JOIN staged s USING (npi)
WHERE s.entity_type = 1 AND s.letter IS NOT NULL AND c.moved;
INSERT INTO search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
SELECT s.letter, s.npi, s.folded, s.organization_name, s.practice_address, s.practice_city, s.practice_state, s.practice_zip,
       s.primary_taxonomy
FROM change c JOIN staged s USING (npi)
WHERE s.entity_type = 2 AND s.letter IS NOT NULL AND c.moved;

-- Other names: all of a provider that changes are written anew, but those of one that is only deactivated.
DELETE FROM npi_other_names o USING change c WHERE o.npi = c.npi AND NOT c.only_date;
INSERT INTO npi_other_names (npi, source, number, name, kind, letter, folded, file_id)
SELECT n.npi, n.source, n.number, n.name, n.kind, n.letter, n.folded, :file
FROM change c JOIN staged_names n USING (npi) WHERE NOT c.only_date;
INSERT INTO search_surgeon (letter, npi, name_number, folded, first_name, last_name, middle_name, address, city, state,
                            zip, primary_taxonomy, other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, s.first_name, s.last_name, s.middle_name, s.practice_address, s.practice_city,
       s.practice_state, s.practice_zip, s.primary_taxonomy, o.name, o.kind
FROM change c JOIN staged s USING (npi) JOIN npi_other_names o USING (npi)
WHERE s.entity_type = 1 AND s.letter IS NOT NULL AND o.letter IS NOT NULL;
INSERT INTO search_facility (letter, npi, name_number, folded, facility_name, address, city, state, zip, primary_taxonomy,
                             other_name, other_kind)
SELECT o.letter, o.npi, o.number, o.folded, s.organization_name, s.practice_address, s.practice_city, s.practice_state,
       s.practice_zip, s.primary_taxonomy, o.name, o.kind
FROM change c JOIN staged s USING (npi) JOIN npi_other_names o USING (npi)
WHERE s.entity_type = 2 AND s.letter IS NOT NULL AND o.letter IS NOT NULL;

INSERT INTO npi_files (id, name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2,
                       inserted, updated, unchanged, older, duplicates, deactivated, rejected, seconds, processed_at, run_id)
OVERRIDING SYSTEM VALUE
SELECT :file, :'name', 'WEEKLY', :'name', 0, '2026-07-13', '2026-07-19', '', count(*), count(*) FILTER (WHERE entity_type = 0),
       count(*) FILTER (WHERE entity_type = 1), count(*) FILTER (WHERE entity_type = 2), count(*) FILTER (WHERE old_type IS NULL),
       count(old_type), 0, 0, 0, count(*) FILTER (WHERE only_date), 0, 0, now(), gen_random_uuid()
FROM change;
DROP TABLE staged, staged_names;
COMMIT;
