-- The national provider registry (NPPES), as the files of the CMS have it, and what is searched in it.

CREATE TABLE npi_files (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    kind          text NOT NULL CHECK (kind IN ('WEEKLY', 'MONTHLY')),
    sha256        text NOT NULL UNIQUE,
    bytes         bigint NOT NULL,
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    header        text NOT NULL,
    rows          bigint NOT NULL,
    rows_0        bigint NOT NULL,
    rows_1        bigint NOT NULL,
    rows_2        bigint NOT NULL,
    inserted      bigint NOT NULL,
    updated       bigint NOT NULL,
    unchanged     bigint NOT NULL,
    older         bigint NOT NULL,
    duplicates    bigint NOT NULL,
    deactivated   bigint NOT NULL,
    rejected      bigint NOT NULL,
    seconds       double precision NOT NULL,
    archived_to   text,
    processed_at  timestamptz NOT NULL,
    run_id        uuid NOT NULL,
    CHECK (period_start <= period_end),
    CHECK (rows = inserted + updated + unchanged + older + duplicates + rejected)
);

CREATE TABLE npi_rejects (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id bigint NOT NULL REFERENCES npi_files ON DELETE CASCADE,
    line    bigint NOT NULL,
    reason  text NOT NULL,
    raw     bytea NOT NULL
);
CREATE INDEX npi_rejects_file ON npi_rejects (file_id);

CREATE TABLE npi_key (
    npi         bigint PRIMARY KEY,
    entity_type smallint NOT NULL,
    UNIQUE (npi, entity_type)
);

CREATE TABLE npi_data (
    npi                bigint NOT NULL,
    entity_type        smallint NOT NULL,
    replacement_npi    bigint,
    organization_name  text,
    last_name          text,
    first_name         text,
    middle_name        text,
    credential         text,
    other_name         text,
    mailing_address    text,
    mailing_city       text,
    mailing_state      text,
    mailing_zip        text,
    mailing_phone      text,
    practice_address   text,
    practice_city      text,
    practice_state     text,
    practice_zip       text,
    practice_country   text,
    practice_phone     text,
    practice_fax       text,
    enumerated_on      date,
    updated_on         date,
    deactivated_on     date,
    reactivated_on     date,
    deactivation_code  text,
    sex                text,
    primary_taxonomy   text,
    taxonomies         text[] NOT NULL DEFAULT '{}',
    licences           text[] NOT NULL DEFAULT '{}',
    letter             "char",
    hash               uuid,
    raw                bytea,
    file_id            bigint NOT NULL,
    FOREIGN KEY (npi, entity_type) REFERENCES npi_key (npi, entity_type) ON UPDATE CASCADE
) PARTITION BY LIST (entity_type);
CREATE TABLE npi_data_0 PARTITION OF npi_data FOR VALUES IN (0);
CREATE TABLE npi_data_1 PARTITION OF npi_data FOR VALUES IN (1);
CREATE TABLE npi_data_2 PARTITION OF npi_data FOR VALUES IN (2);
CREATE UNIQUE INDEX npi_data_npi ON npi_data (npi, entity_type);

CREATE TABLE search_surgeon (
    letter           "char" NOT NULL,
    npi              bigint NOT NULL,
    folded           text NOT NULL,
    first_name       text,
    last_name        text,
    address          text,
    city             text,
    state            text,
    zip              text,
    primary_taxonomy text,
    PRIMARY KEY (letter, npi)
) PARTITION BY LIST (letter);
CREATE TABLE search_facility (
    letter           "char" NOT NULL,
    npi              bigint NOT NULL,
    folded           text NOT NULL,
    facility_name    text,
    address          text,
    city             text,
    state            text,
    zip              text,
    primary_taxonomy text,
    PRIMARY KEY (letter, npi)
) PARTITION BY LIST (letter);
CREATE TABLE search_surgeon_a PARTITION OF search_surgeon FOR VALUES IN ('a');
CREATE TABLE search_surgeon_b PARTITION OF search_surgeon FOR VALUES IN ('b');
CREATE TABLE search_surgeon_c PARTITION OF search_surgeon FOR VALUES IN ('c');
CREATE TABLE search_surgeon_d PARTITION OF search_surgeon FOR VALUES IN ('d');
CREATE TABLE search_surgeon_e PARTITION OF search_surgeon FOR VALUES IN ('e');
CREATE TABLE search_surgeon_f PARTITION OF search_surgeon FOR VALUES IN ('f');
CREATE TABLE search_surgeon_g PARTITION OF search_surgeon FOR VALUES IN ('g');
CREATE TABLE search_surgeon_h PARTITION OF search_surgeon FOR VALUES IN ('h');
CREATE TABLE search_surgeon_i PARTITION OF search_surgeon FOR VALUES IN ('i');
CREATE TABLE search_surgeon_j PARTITION OF search_surgeon FOR VALUES IN ('j');
CREATE TABLE search_surgeon_k PARTITION OF search_surgeon FOR VALUES IN ('k');
CREATE TABLE search_surgeon_l PARTITION OF search_surgeon FOR VALUES IN ('l');
CREATE TABLE search_surgeon_m PARTITION OF search_surgeon FOR VALUES IN ('m');
CREATE TABLE search_surgeon_n PARTITION OF search_surgeon FOR VALUES IN ('n');
CREATE TABLE search_surgeon_o PARTITION OF search_surgeon FOR VALUES IN ('o');
CREATE TABLE search_surgeon_p PARTITION OF search_surgeon FOR VALUES IN ('p');
CREATE TABLE search_surgeon_q PARTITION OF search_surgeon FOR VALUES IN ('q');
CREATE TABLE search_surgeon_r PARTITION OF search_surgeon FOR VALUES IN ('r');
CREATE TABLE search_surgeon_s PARTITION OF search_surgeon FOR VALUES IN ('s');
CREATE TABLE search_surgeon_t PARTITION OF search_surgeon FOR VALUES IN ('t');
CREATE TABLE search_surgeon_u PARTITION OF search_surgeon FOR VALUES IN ('u');
CREATE TABLE search_surgeon_v PARTITION OF search_surgeon FOR VALUES IN ('v');
CREATE TABLE search_surgeon_w PARTITION OF search_surgeon FOR VALUES IN ('w');
CREATE TABLE search_surgeon_x PARTITION OF search_surgeon FOR VALUES IN ('x');
CREATE TABLE search_surgeon_y PARTITION OF search_surgeon FOR VALUES IN ('y');
CREATE TABLE search_surgeon_z PARTITION OF search_surgeon FOR VALUES IN ('z');
CREATE TABLE search_facility_a PARTITION OF search_facility FOR VALUES IN ('a');
CREATE TABLE search_facility_b PARTITION OF search_facility FOR VALUES IN ('b');
CREATE TABLE search_facility_c PARTITION OF search_facility FOR VALUES IN ('c');
CREATE TABLE search_facility_d PARTITION OF search_facility FOR VALUES IN ('d');
CREATE TABLE search_facility_e PARTITION OF search_facility FOR VALUES IN ('e');
CREATE TABLE search_facility_f PARTITION OF search_facility FOR VALUES IN ('f');
CREATE TABLE search_facility_g PARTITION OF search_facility FOR VALUES IN ('g');
CREATE TABLE search_facility_h PARTITION OF search_facility FOR VALUES IN ('h');
CREATE TABLE search_facility_i PARTITION OF search_facility FOR VALUES IN ('i');
CREATE TABLE search_facility_j PARTITION OF search_facility FOR VALUES IN ('j');
CREATE TABLE search_facility_k PARTITION OF search_facility FOR VALUES IN ('k');
CREATE TABLE search_facility_l PARTITION OF search_facility FOR VALUES IN ('l');
CREATE TABLE search_facility_m PARTITION OF search_facility FOR VALUES IN ('m');
CREATE TABLE search_facility_n PARTITION OF search_facility FOR VALUES IN ('n');
CREATE TABLE search_facility_o PARTITION OF search_facility FOR VALUES IN ('o');
CREATE TABLE search_facility_p PARTITION OF search_facility FOR VALUES IN ('p');
CREATE TABLE search_facility_q PARTITION OF search_facility FOR VALUES IN ('q');
CREATE TABLE search_facility_r PARTITION OF search_facility FOR VALUES IN ('r');
CREATE TABLE search_facility_s PARTITION OF search_facility FOR VALUES IN ('s');
CREATE TABLE search_facility_t PARTITION OF search_facility FOR VALUES IN ('t');
CREATE TABLE search_facility_u PARTITION OF search_facility FOR VALUES IN ('u');
CREATE TABLE search_facility_v PARTITION OF search_facility FOR VALUES IN ('v');
CREATE TABLE search_facility_w PARTITION OF search_facility FOR VALUES IN ('w');
CREATE TABLE search_facility_x PARTITION OF search_facility FOR VALUES IN ('x');
CREATE TABLE search_facility_y PARTITION OF search_facility FOR VALUES IN ('y');
CREATE TABLE search_facility_z PARTITION OF search_facility FOR VALUES IN ('z');
CREATE TABLE search_surgeon_other PARTITION OF search_surgeon FOR VALUES IN ('0');
CREATE TABLE search_facility_other PARTITION OF search_facility FOR VALUES IN ('0');
-- By the bytes of the folded name, which serves a prefix whatever the collation; and within a state, since a common name
-- has a hundred thousand bearers.
CREATE INDEX search_surgeon_folded ON search_surgeon (folded COLLATE "C", npi);
CREATE INDEX search_facility_folded ON search_facility (folded COLLATE "C", npi);
CREATE INDEX search_surgeon_state ON search_surgeon (state, folded COLLATE "C", npi);
CREATE INDEX search_facility_state ON search_facility (state, folded COLLATE "C", npi);

-- Names with a typing error are found where pg_trgm is installed, in whatever schema, or can be.
DO $$
DECLARE
    extension text;
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    SELECT extnamespace::regnamespace::text INTO STRICT extension FROM pg_extension WHERE extname = 'pg_trgm';
    EXECUTE format('CREATE INDEX search_surgeon_trigrams ON search_surgeon USING gin (folded %s.gin_trgm_ops)',
                   extension);
    EXECUTE format('CREATE INDEX search_facility_trigrams ON search_facility USING gin (folded %s.gin_trgm_ops)',
                   extension);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_trgm is not there: npi search finds names by their beginning only';
END $$;

COMMENT ON TABLE npi_files IS
    'The files of the registry (NPPES) that were loaded: the ledger. A file that is in it, by name or by content, '
    'is not loaded again.';
COMMENT ON COLUMN npi_files.id IS 'The order of loading.';
COMMENT ON COLUMN npi_files.name IS 'The name on the page, or in the file system.';
COMMENT ON COLUMN npi_files.kind IS 'WEEKLY or MONTHLY.';
COMMENT ON COLUMN npi_files.sha256 IS 'The digest of the file, in hex.';
COMMENT ON COLUMN npi_files.bytes IS 'The size of the file.';
COMMENT ON COLUMN npi_files.period_start IS 'The first day that the file covers.';
COMMENT ON COLUMN npi_files.period_end IS 'The last day that the file covers.';
COMMENT ON COLUMN npi_files.header IS 'The first line of its main file.';
COMMENT ON COLUMN npi_files.rows IS 'Lines of the main file without the header.';
COMMENT ON COLUMN npi_files.rows_0 IS 'Of them: entity type none or unknown.';
COMMENT ON COLUMN npi_files.rows_1 IS 'Of them: individuals.';
COMMENT ON COLUMN npi_files.rows_2 IS 'Of them: organizations.';
COMMENT ON COLUMN npi_files.inserted IS 'New NPIs.';
COMMENT ON COLUMN npi_files.updated IS 'NPIs whose stored row was changed.';
COMMENT ON COLUMN npi_files.unchanged IS 'NPIs whose row was the same.';
COMMENT ON COLUMN npi_files.older IS 'NPIs whose stored row is newer, and was left alone.';
COMMENT ON COLUMN npi_files.duplicates IS 'Lines before a later line of the same NPI.';
COMMENT ON COLUMN npi_files.deactivated IS 'Of the inserted and updated: not active any more.';
COMMENT ON COLUMN npi_files.rejected IS 'Lines that could not be read; they are in npi_rejects.';
COMMENT ON COLUMN npi_files.seconds IS 'How long it took from the download to the merge.';
COMMENT ON COLUMN npi_files.archived_to IS 'The URL of the archived file; NULL: not archived yet.';
COMMENT ON COLUMN npi_files.processed_at IS 'The time of the run.';
COMMENT ON COLUMN npi_files.run_id IS 'The run.';

COMMENT ON TABLE npi_rejects IS 'Lines of files that could not be read.';
COMMENT ON COLUMN npi_rejects.id IS 'The order of insertion.';
COMMENT ON COLUMN npi_rejects.file_id IS 'The file.';
COMMENT ON COLUMN npi_rejects.line IS 'The number of the line in the main file; the header is line 1.';
COMMENT ON COLUMN npi_rejects.reason IS 'Why it could not be read.';
COMMENT ON COLUMN npi_rejects.raw IS 'The line as it was, without its end.';

COMMENT ON TABLE npi_key IS
    'One row for each NPI, since the partitioned npi_data cannot have a primary key on npi alone.';
COMMENT ON COLUMN npi_key.npi IS 'The National Provider Identifier, ten digits.';
COMMENT ON COLUMN npi_key.entity_type IS '1 individual, 2 organization, 0 none or unknown.';

COMMENT ON TABLE npi_data IS 'The registry: one row for each provider, partitioned by entity type.';
COMMENT ON COLUMN npi_data.npi IS 'The National Provider Identifier, ten digits.';
COMMENT ON COLUMN npi_data.entity_type IS '1 individual, 2 organization, 0 none or unknown.';
COMMENT ON COLUMN npi_data.replacement_npi IS 'The NPI that replaces this one; NULL: none.';
COMMENT ON COLUMN npi_data.organization_name IS 'The legal business name; NULL of an individual.';
COMMENT ON COLUMN npi_data.last_name IS 'The legal last name; NULL of an organization.';
COMMENT ON COLUMN npi_data.first_name IS 'NULL of an organization.';
COMMENT ON COLUMN npi_data.middle_name IS 'NULL: none.';
COMMENT ON COLUMN npi_data.credential IS 'Such as M.D.; NULL: none.';
COMMENT ON COLUMN npi_data.other_name IS 'The other organization name, or the other last name; NULL: none.';
COMMENT ON COLUMN npi_data.mailing_address IS 'Both lines of the mailing address.';
COMMENT ON COLUMN npi_data.mailing_city IS 'Of the mailing address.';
COMMENT ON COLUMN npi_data.mailing_state IS 'Of the mailing address.';
COMMENT ON COLUMN npi_data.mailing_zip IS 'Of the mailing address, digits only as the file has them.';
COMMENT ON COLUMN npi_data.mailing_phone IS 'Of the mailing address.';
COMMENT ON COLUMN npi_data.practice_address IS 'Both lines of the practice location.';
COMMENT ON COLUMN npi_data.practice_city IS 'Of the practice location.';
COMMENT ON COLUMN npi_data.practice_state IS 'Of the practice location.';
COMMENT ON COLUMN npi_data.practice_zip IS 'Of the practice location, digits only as the file has them.';
COMMENT ON COLUMN npi_data.practice_country IS 'Of the practice location.';
COMMENT ON COLUMN npi_data.practice_phone IS 'Of the practice location.';
COMMENT ON COLUMN npi_data.practice_fax IS 'Of the practice location.';
COMMENT ON COLUMN npi_data.enumerated_on IS 'The day on which the NPI was given.';
COMMENT ON COLUMN npi_data.updated_on IS 'Last Update Date of the stored row.';
COMMENT ON COLUMN npi_data.deactivated_on IS 'NULL: never deactivated.';
COMMENT ON COLUMN npi_data.reactivated_on IS
    'NULL: never reactivated. A provider is active if this is not before deactivated_on.';
COMMENT ON COLUMN npi_data.deactivation_code IS 'The reason code; NULL: none.';
COMMENT ON COLUMN npi_data.sex IS 'M, F or another code; NULL: not given.';
COMMENT ON COLUMN npi_data.primary_taxonomy IS 'The taxonomy whose switch is Y, else the first; NULL: none.';
COMMENT ON COLUMN npi_data.taxonomies IS 'All taxonomy codes, in the order of the file.';
COMMENT ON COLUMN npi_data.licences IS 'For each taxonomy state:number, or an empty text.';
COMMENT ON COLUMN npi_data.letter IS 'The partition of the search table that has the provider; NULL: none has it.';
COMMENT ON COLUMN npi_data.hash IS 'The digest of the last full row; NULL: there was none.';
COMMENT ON COLUMN npi_data.raw IS 'The last full row, compressed (src/clinic/npi/raw.rs); NULL: there was none.';
COMMENT ON COLUMN npi_data.file_id IS 'The file that wrote the row last. Not a foreign key, for speed.';

COMMENT ON TABLE search_surgeon IS
    'What is searched: active individuals at their practice location, partitioned by the letter of the folded '
    'name.';
COMMENT ON COLUMN search_surgeon.letter IS 'a to z, or 0 for a name that begins with anything else.';
COMMENT ON COLUMN search_surgeon.npi IS 'The National Provider Identifier.';
COMMENT ON COLUMN search_surgeon.folded IS 'The last name, a space, the first name: lower case, without accents.';
COMMENT ON COLUMN search_surgeon.first_name IS 'As in npi_data.';
COMMENT ON COLUMN search_surgeon.last_name IS 'As in npi_data.';
COMMENT ON COLUMN search_surgeon.address IS 'Both lines of the practice location.';
COMMENT ON COLUMN search_surgeon.city IS 'Of the practice location.';
COMMENT ON COLUMN search_surgeon.state IS 'Of the practice location.';
COMMENT ON COLUMN search_surgeon.zip IS 'Of the practice location.';
COMMENT ON COLUMN search_surgeon.primary_taxonomy IS 'As in npi_data.';

COMMENT ON TABLE search_facility IS
    'What is searched: active organizations at their practice location, partitioned by the letter of the folded '
    'name.';
COMMENT ON COLUMN search_facility.letter IS 'a to z, or 0 for a name that begins with anything else.';
COMMENT ON COLUMN search_facility.npi IS 'The National Provider Identifier.';
COMMENT ON COLUMN search_facility.folded IS 'The name: lower case, without accents.';
COMMENT ON COLUMN search_facility.facility_name IS 'The legal business name.';
COMMENT ON COLUMN search_facility.address IS 'Both lines of the practice location.';
COMMENT ON COLUMN search_facility.city IS 'Of the practice location.';
COMMENT ON COLUMN search_facility.state IS 'Of the practice location.';
COMMENT ON COLUMN search_facility.zip IS 'Of the practice location.';
COMMENT ON COLUMN search_facility.primary_taxonomy IS 'As in npi_data.';
