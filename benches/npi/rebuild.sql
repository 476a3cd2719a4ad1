-- A weekly file, copied into `weekly` as text, merged, and all search tables made anew from the whole registry: what is done
-- where nobody keeps track of what changes. It keeps less than the program, no raw row and no hash. The new tables are
-- filled before they are indexed, in one pass, by a server that may use a lot of memory. All of it is taken back, so that
-- the registry stays as it was. Prints the seconds of that, and the seconds of the trigram indexes, which the program keeps
-- and most do without.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL jit = off;
SET LOCAL random_page_cost = 1.1;
SET LOCAL work_mem = '256MB';
SET LOCAL maintenance_work_mem = '512MB';

CREATE TEMP TABLE typed ON COMMIT DROP AS
SELECT c1::bigint AS npi, COALESCE(NULLIF(c2, ''), '0')::smallint AS entity_type, c5 AS organization_name, c6 AS last_name,
       c7 AS first_name, c8 AS middle_name, c11 AS credential, concat_ws(' ', c21, NULLIF(c22, '')) AS mailing_address,
       c23 AS mailing_city, c24 AS mailing_state, c25 AS mailing_zip, c27 AS mailing_phone,
       concat_ws(' ', c29, NULLIF(c30, '')) AS practice_address, c31 AS practice_city, c32 AS practice_state,
       c33 AS practice_zip, c34 AS practice_country, c35 AS practice_phone, c36 AS practice_fax,
       to_date(NULLIF(c37, ''), 'MM/DD/YYYY') AS enumerated_on, to_date(NULLIF(c38, ''), 'MM/DD/YYYY') AS updated_on,
       to_date(NULLIF(c40, ''), 'MM/DD/YYYY') AS deactivated_on, to_date(NULLIF(c41, ''), 'MM/DD/YYYY') AS reactivated_on,
       c42 AS sex,
       COALESCE(CASE WHEN c51 = 'Y' THEN c48 END, CASE WHEN c55 = 'Y' THEN c52 END, CASE WHEN c59 = 'Y' THEN c56 END,
                CASE WHEN c63 = 'Y' THEN c60 END, CASE WHEN c67 = 'Y' THEN c64 END, CASE WHEN c71 = 'Y' THEN c68
                END, CASE WHEN c75 = 'Y' THEN c72 END, CASE WHEN c79 = 'Y' THEN c76 END, CASE WHEN c83 = 'Y'
                THEN c80 END, CASE WHEN c87 = 'Y' THEN c84 END, CASE WHEN c91 = 'Y' THEN c88 END, CASE WHEN c95
                = 'Y' THEN c92 END, CASE WHEN c99 = 'Y' THEN c96 END, CASE WHEN c103 = 'Y' THEN c100 END, CASE
                WHEN c107 = 'Y' THEN c104 END, c48) AS primary_taxonomy,
       c2 = '' AS only_date
FROM weekly;
ANALYZE typed;

UPDATE npi_data d SET deactivated_on = t.deactivated_on
FROM typed t JOIN npi_key k USING (npi)
WHERE t.only_date AND d.npi = k.npi AND d.entity_type = k.entity_type;
DELETE FROM npi_data d USING typed t JOIN npi_key k USING (npi)
WHERE NOT t.only_date AND d.npi = k.npi AND d.entity_type = k.entity_type;
INSERT INTO npi_key AS k (npi, entity_type) SELECT npi, entity_type FROM typed WHERE NOT only_date
ON CONFLICT (npi) DO UPDATE SET entity_type = EXCLUDED.entity_type WHERE k.entity_type <> EXCLUDED.entity_type;
INSERT INTO npi_data (npi, entity_type, organization_name, last_name, first_name, middle_name, credential, mailing_address,
                      mailing_city, mailing_state, mailing_zip, mailing_phone, practice_address, practice_city,
                      practice_state, practice_zip, practice_country, practice_phone, practice_fax, enumerated_on,
                      updated_on, deactivated_on, reactivated_on, sex, primary_taxonomy, file_id)
SELECT npi, entity_type, organization_name, last_name, first_name, middle_name, credential, mailing_address,
       mailing_city, mailing_state, mailing_zip, mailing_phone, practice_address, practice_city,
       practice_state, practice_zip, practice_country, practice_phone, practice_fax, enumerated_on,
       updated_on, deactivated_on, reactivated_on, sex, primary_taxonomy, 0
FROM typed WHERE NOT only_date;

CREATE SCHEMA anew;
CREATE TABLE anew.search_surgeon (LIKE search_surgeon INCLUDING DEFAULTS) PARTITION BY LIST (letter);
CREATE TABLE anew.search_facility (LIKE search_facility INCLUDING DEFAULTS) PARTITION BY LIST (letter);
DO $$
DECLARE
    letter text;
BEGIN
    FOREACH letter IN ARRAY string_to_array('0 a b c d e f g h i j k l m n o p q r s t u v w x y z', ' ') LOOP
        EXECUTE format('CREATE TABLE anew.surgeon_%s PARTITION OF anew.search_surgeon FOR VALUES IN (%L)', letter, letter);
        EXECUTE format('CREATE TABLE anew.facility_%s PARTITION OF anew.search_facility FOR VALUES IN (%L)', letter, letter);
    END LOOP;
END $$;
INSERT INTO anew.search_surgeon (letter, npi, folded, first_name, last_name, address, city, state, zip, primary_taxonomy)
SELECT CASE WHEN folded ~ '^[a-z]' THEN left(folded, 1) ELSE '0' END::"char", npi, folded, first_name, last_name,
       practice_address, practice_city, practice_state, practice_zip, primary_taxonomy
FROM (SELECT *, lower(last_name || ' ' || first_name) AS folded FROM npi_data_1
      WHERE deactivated_on IS NULL OR reactivated_on >= deactivated_on) d
WHERE folded IS NOT NULL;
INSERT INTO anew.search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
SELECT CASE WHEN folded ~ '^[a-z]' THEN left(folded, 1) ELSE '0' END::"char", npi, folded, organization_name,
       practice_address, practice_city, practice_state, practice_zip, primary_taxonomy
FROM (SELECT *, lower(organization_name) AS folded FROM npi_data_2
      WHERE deactivated_on IS NULL OR reactivated_on >= deactivated_on) d
WHERE folded IS NOT NULL;
ALTER TABLE anew.search_surgeon ADD PRIMARY KEY (letter, npi);
ALTER TABLE anew.search_facility ADD PRIMARY KEY (letter, npi);
CREATE INDEX ON anew.search_surgeon (folded COLLATE "C", npi);
CREATE INDEX ON anew.search_facility (folded COLLATE "C", npi);
CREATE INDEX ON anew.search_surgeon (state, folded COLLATE "C", npi);
CREATE INDEX ON anew.search_facility (state, folded COLLATE "C", npi);
ANALYZE anew.search_surgeon, anew.search_facility;
SELECT EXTRACT(epoch FROM clock_timestamp() - now());

SELECT clock_timestamp() AS began, EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS trigrams \gset
\if :trigrams
CREATE INDEX ON anew.search_surgeon USING gin (folded gin_trgm_ops);
CREATE INDEX ON anew.search_facility USING gin (folded gin_trgm_ops);
\endif
SELECT EXTRACT(epoch FROM clock_timestamp() - :'began');
ROLLBACK;
