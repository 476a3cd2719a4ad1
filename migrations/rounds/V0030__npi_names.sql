-- Other names of providers: trade names and former names of organizations, former and professional names of people. They
-- are searched beside the legal names. And all names are folded anew, so that O'BRIEN, OBRIEN and O BRIEN are one.

CREATE TABLE npi_other_names (
    npi     bigint NOT NULL,
    source  text NOT NULL CHECK (source IN ('MAIN', 'OTHER_NAMES')),
    number  integer NOT NULL,
    name    text NOT NULL,
    kind    text,
    letter  "char",
    folded  text,
    file_id bigint NOT NULL,
    PRIMARY KEY (npi, number)
);

ALTER TABLE npi_files ADD COLUMN other_rows bigint, ADD COLUMN other_rejected bigint,
                      ADD COLUMN other_added bigint, ADD COLUMN other_removed bigint;
ALTER TABLE npi_rejects ADD COLUMN entry text NOT NULL DEFAULT 'MAIN' CHECK (entry IN ('MAIN', 'OTHER_NAMES'));
ALTER TABLE search_surgeon ADD COLUMN name_number integer NOT NULL DEFAULT 0, ADD COLUMN middle_name text,
                           ADD COLUMN other_name text, ADD COLUMN other_kind text;
ALTER TABLE search_facility ADD COLUMN name_number integer NOT NULL DEFAULT 0,
                            ADD COLUMN other_name text, ADD COLUMN other_kind text;
ALTER TABLE search_surgeon DROP CONSTRAINT search_surgeon_pkey;
ALTER TABLE search_facility DROP CONSTRAINT search_facility_pkey;
ALTER TABLE search_surgeon ADD PRIMARY KEY (letter, npi, name_number);
ALTER TABLE search_facility ADD PRIMARY KEY (letter, npi, name_number);

-- What src/clinic/npi/names.rs does, for what is loaded already; a test compares the two. They are dropped below.
-- begin of the functions
DO $do$
BEGIN
    -- Only a database in UTF8 has all of these letters. In another, names are folded as far as ASCII goes.
    IF current_setting('server_encoding') = 'UTF8' THEN
        EXECUTE $f$
            CREATE FUNCTION npi_plain(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
                -- Of another collation than the letters, lower() would leave some of them.
                SELECT lower(regexp_replace(regexp_replace(regexp_replace(regexp_replace(translate(
                    regexp_replace(normalize(translate(name, U&'''\2019\2018\201B\02BC\02BB\2032`\00B4\FF07', ''), NFKD),
                                   '[\u0300-\u036f]', '', 'g'),
                    U&'\00D8\00F8\0141\0142\0110\0111\00D0\00F0\0131', 'oollddddi'), U&'[\00C6\00E6]', 'ae', 'g'),
                    U&'[\0152\0153]', 'oe', 'g'), U&'[\00DF\1E9E]', 'ss', 'g'), U&'[\00DE\00FE]', 'th', 'g'))
            $$
        $f$;
    ELSE
        EXECUTE $f$
            CREATE FUNCTION npi_plain(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
                SELECT lower(translate(name, '''`', ''))
            $$
        $f$;
    END IF;
END $do$;
CREATE FUNCTION npi_words(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN w.words = '' THEN btrim(name, ' ') ELSE w.words END
    FROM (SELECT CASE WHEN name ~ '^[\x01-\x7f]*$' THEN lower(translate(name, '''`', '')) ELSE npi_plain(name) END
                     AS plain) p,
         LATERAL (SELECT btrim(regexp_replace(regexp_replace(replace(translate(p.plain, '_', ' '), '&', ' and '),
                               '\m([[:alnum:]])\.', '\1', 'g'), '[^[:alnum:]]+', ' ', 'g')) AS words) w
$$;
CREATE FUNCTION npi_folded_part(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT replace(regexp_replace(npi_words(COALESCE(name, '')), ' (jr|sr|ii|iii|iv)$', ''), ' ', '')
$$;
CREATE FUNCTION npi_folded_person(last text, first text, middle text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat_ws(' ',
        NULLIF(replace(regexp_replace(regexp_replace(regexp_replace(npi_words(COALESCE(last, '')),
               ' (jr|sr|ii|iii|iv)$', ''), '\mst\M', 'saint', 'g'), '\mste\M', 'sainte', 'g'), ' ', ''), ''),
        NULLIF(npi_folded_part(first), ''), NULLIF(npi_folded_part(middle), ''))
$$;
CREATE FUNCTION npi_folded_organization(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT replace(m.spelled, ' ', '') || CASE WHEN m.main = w.words THEN ''
                                               ELSE ' ' || replace(substr(w.words, length(m.main) + 1), ' ', '') END
    FROM (SELECT regexp_replace(npi_words(COALESCE(name, '')), '^the ', '') AS words) w,
         LATERAL (SELECT regexp_replace(w.words,
             '( (inc|incorporated|llc|llp|lp|pc|pa|pllc|plc|corp|corporation|co|company|ltd|limited|apc|pl))+$', '')
             AS main) f,
         LATERAL (SELECT regexp_replace(regexp_replace(regexp_replace(f.main, '\mst\M', 'saint', 'g'),
                         '\mmt\M', 'mount', 'g'), '\mft\M', 'fort', 'g') AS spelled, f.main) m
$$;
CREATE FUNCTION npi_letter(folded text) RETURNS "char" LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN folded ~ '^[a-z]' THEN left(folded, 1) ELSE '0' END::"char"
$$;
-- end of the functions

DO $$
DECLARE
    extension text;
BEGIN
    IF NOT EXISTS (SELECT FROM npi_data) THEN
        RETURN;
    END IF;
    -- Many rows at once are put into the index of trigrams one by one; made anew it is faster.
    DROP INDEX IF EXISTS search_surgeon_trigrams, search_facility_trigrams;
    TRUNCATE search_surgeon, search_facility;
    INSERT INTO search_surgeon (letter, npi, folded, first_name, last_name, middle_name, address, city, state, zip,
                                primary_taxonomy)
    SELECT npi_letter(f.folded), d.npi, f.folded, d.first_name, d.last_name, d.middle_name, d.practice_address,
           d.practice_city, d.practice_state, d.practice_zip, d.primary_taxonomy
    FROM npi_data d, LATERAL (SELECT npi_folded_person(d.last_name, d.first_name, d.middle_name) AS folded OFFSET 0) f
    WHERE d.entity_type = 1 AND d.letter IS NOT NULL;
    INSERT INTO search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
    SELECT npi_letter(f.folded), d.npi, f.folded, d.organization_name, d.practice_address, d.practice_city,
           d.practice_state, d.practice_zip, d.primary_taxonomy
    FROM npi_data d, LATERAL (SELECT npi_folded_organization(d.organization_name) AS folded OFFSET 0) f
    WHERE d.entity_type = 2 AND d.letter IS NOT NULL;
    UPDATE npi_data d SET letter = x.letter FROM search_surgeon x
    WHERE d.entity_type = 1 AND x.npi = d.npi AND d.letter <> x.letter;
    UPDATE npi_data d SET letter = x.letter FROM search_facility x
    WHERE d.entity_type = 2 AND x.npi = d.npi AND d.letter <> x.letter;
    -- The other names of the main file. What they are is not stored, and comes with the provider's next row.
    INSERT INTO npi_other_names (npi, source, number, name, letter, folded, file_id)
    SELECT d.npi, 'MAIN', 1, d.other_name, npi_letter(f.folded), f.folded, d.file_id
    FROM npi_data d, LATERAL (SELECT CASE d.entity_type WHEN 1 THEN npi_folded_person(d.other_name, d.first_name, d.middle_name)
                                                        ELSE npi_folded_organization(d.other_name) END AS folded OFFSET 0) f
    WHERE d.entity_type IN (1, 2) AND d.other_name IS NOT NULL AND octet_length(f.folded) BETWEEN 1 AND 1000;
    INSERT INTO search_surgeon (letter, npi, name_number, folded, first_name, last_name, middle_name, address, city,
                                state, zip, primary_taxonomy, other_name)
    SELECT o.letter, o.npi, 1, o.folded, d.first_name, d.last_name, d.middle_name, d.practice_address,
           d.practice_city, d.practice_state, d.practice_zip, d.primary_taxonomy, o.name
    FROM npi_other_names o JOIN npi_data d ON d.npi = o.npi WHERE d.entity_type = 1 AND d.letter IS NOT NULL;
    INSERT INTO search_facility (letter, npi, name_number, folded, facility_name, address, city, state, zip,
                                 primary_taxonomy, other_name)
    SELECT o.letter, o.npi, 1, o.folded, d.organization_name, d.practice_address, d.practice_city, d.practice_state,
           d.practice_zip, d.primary_taxonomy, o.name
    FROM npi_other_names o JOIN npi_data d ON d.npi = o.npi WHERE d.entity_type = 2 AND d.letter IS NOT NULL;
    SELECT extnamespace::regnamespace::text INTO extension FROM pg_extension WHERE extname = 'pg_trgm';
    IF extension IS NOT NULL THEN
        EXECUTE format('CREATE INDEX search_surgeon_trigrams ON search_surgeon USING gin (folded %s.gin_trgm_ops)',
                       extension);
        EXECUTE format('CREATE INDEX search_facility_trigrams ON search_facility USING gin (folded %s.gin_trgm_ops)',
                       extension);
    END IF;
END $$;
DROP FUNCTION npi_folded_person(text, text, text);
DROP FUNCTION npi_folded_organization(text);
DROP FUNCTION npi_folded_part(text);
DROP FUNCTION npi_words(text);
DROP FUNCTION npi_plain(text);
DROP FUNCTION npi_letter(text);

COMMENT ON TABLE npi_other_names IS
    'Other names of providers: those in the main file, and those of organizations in the file of other names '
    '(othername_pfile). They are searched where the provider is active.';
COMMENT ON COLUMN npi_other_names.npi IS 'The National Provider Identifier.';
COMMENT ON COLUMN npi_other_names.source IS 'MAIN: of the main file; OTHER_NAMES: of the file of other names.';
COMMENT ON COLUMN npi_other_names.number IS '1 is the name of the main file; the others follow in the order of the file.';
COMMENT ON COLUMN npi_other_names.name IS
    'As in the file; of a person the last name, a comma, and the first and middle name where they differ, too.';
COMMENT ON COLUMN npi_other_names.kind IS
    'FORMER, DBA (doing business as), PROFESSIONAL or OTHER; NULL: the file does not say.';
COMMENT ON COLUMN npi_other_names.letter IS 'The partition of the search table; NULL: too long to be searched.';
COMMENT ON COLUMN npi_other_names.folded IS 'As in the search tables; NULL: too long to be searched.';
COMMENT ON COLUMN npi_other_names.file_id IS 'The file that said so last. Not a foreign key, for speed.';
COMMENT ON COLUMN npi_files.other_rows IS
    'Rows of the file of other names without the header; NULL: the zip had none that could be read.';
COMMENT ON COLUMN npi_files.other_rejected IS 'Of them those that are in npi_rejects.';
COMMENT ON COLUMN npi_files.other_added IS 'Other names that were written, of both files.';
COMMENT ON COLUMN npi_files.other_removed IS 'Other names that were there in their place.';
COMMENT ON COLUMN npi_rejects.entry IS 'The file in the zip: MAIN, or OTHER_NAMES.';
COMMENT ON TABLE search_surgeon IS
    'What is searched: active individuals at their practice location, by each of their names, partitioned by the letter '
    'of the folded name.';
COMMENT ON COLUMN search_surgeon.folded IS
    'The last name, a space, the first, a space, the middle name: each in lower case, letters and digits only, without '
    'accents (src/clinic/npi/names.rs).';
COMMENT ON COLUMN search_surgeon.name_number IS '0: the legal name; else the number in npi_other_names.';
COMMENT ON COLUMN search_surgeon.middle_name IS 'As in npi_data.';
COMMENT ON COLUMN search_surgeon.other_name IS 'The other name that is folded; NULL: it is the legal one.';
COMMENT ON COLUMN search_surgeon.other_kind IS 'As in npi_other_names.';
COMMENT ON TABLE search_facility IS
    'What is searched: active organizations at their practice location, by each of their names, partitioned by the '
    'letter of the folded name.';
COMMENT ON COLUMN search_facility.folded IS
    'The name in lower case, letters and digits only, without accents; the legal form (INC) after a space.';
COMMENT ON COLUMN search_facility.name_number IS '0: the legal name; else the number in npi_other_names.';
COMMENT ON COLUMN search_facility.other_name IS 'The other name that is folded; NULL: it is the legal one.';
COMMENT ON COLUMN search_facility.other_kind IS 'As in npi_other_names.';
