-- The national provider registry (NPPES), as the files of the CMS have it, and what is searched in it.

-- The files that were loaded: the ledger. What is in it, by name or by content, is not loaded again.
CREATE TABLE npi_files (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,                        -- as the page, or the file system, has it
    kind          text NOT NULL CHECK (kind IN ('WEEKLY', 'MONTHLY')),
    sha256        text NOT NULL UNIQUE,
    bytes         bigint NOT NULL,
    period_start  date NOT NULL,                               -- of the pfile in it
    period_end    date NOT NULL,
    header        text NOT NULL,                               -- its first line
    rows          bigint NOT NULL,
    rows_0        bigint NOT NULL,                             -- of them by entity type: none or unknown, 1, 2
    rows_1        bigint NOT NULL,
    rows_2        bigint NOT NULL,
    inserted      bigint NOT NULL,
    updated       bigint NOT NULL,
    unchanged     bigint NOT NULL,
    older         bigint NOT NULL,                             -- than what was stored: left alone
    duplicates    bigint NOT NULL,                             -- of a later row of the same file: left alone
    deactivated   bigint NOT NULL,                             -- of those inserted or updated, not active any more
    rejected      bigint NOT NULL,
    seconds       double precision NOT NULL,
    archived_to   text,                                        -- NULL: nowhere, yet
    processed_at  timestamptz NOT NULL,
    run_id        uuid NOT NULL,
    CHECK (period_start <= period_end),
    CHECK (rows = inserted + updated + unchanged + older + duplicates + rejected)
);

-- Lines that could not be read.
CREATE TABLE npi_rejects (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id bigint NOT NULL REFERENCES npi_files ON DELETE CASCADE,
    line    bigint NOT NULL,                                   -- of the pfile; the header is line 1
    reason  text NOT NULL,
    raw     bytea NOT NULL                                     -- the line, without its end
);
CREATE INDEX npi_rejects_file ON npi_rejects (file_id);

-- One row an NPI: a primary key on npi alone is impossible on the partitioned table.
CREATE TABLE npi_key (
    npi         bigint PRIMARY KEY,
    entity_type smallint NOT NULL,
    UNIQUE (npi, entity_type)
);

CREATE TABLE npi_data (
    npi                bigint NOT NULL,
    entity_type        smallint NOT NULL,                      -- 1 individual, 2 organization, 0 none or unknown
    replacement_npi    bigint,
    organization_name  text,
    last_name          text,
    first_name         text,
    middle_name        text,
    credential         text,
    other_name         text,                                   -- the other organization name, or the other last name
    mailing_address    text,                                   -- both lines
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
    updated_on         date,                                   -- Last Update Date
    deactivated_on     date,
    reactivated_on     date,
    deactivation_code  text,
    sex                text,
    primary_taxonomy   text,                                   -- the one whose switch is Y, else the first
    taxonomies         text[] NOT NULL DEFAULT '{}',
    licences           text[] NOT NULL DEFAULT '{}',           -- of each taxonomy: state:number, or ''
    letter             "char",                                 -- of the search table it is in; NULL: in none
    hash               uuid,                                   -- of the last full row; NULL: there was none
    raw                bytea,                                  -- the last full row: src/npi/raw.rs
    file_id            bigint NOT NULL,                        -- the file that wrote it last; no foreign key, for speed
    FOREIGN KEY (npi, entity_type) REFERENCES npi_key (npi, entity_type) ON UPDATE CASCADE
) PARTITION BY LIST (entity_type);
CREATE TABLE npi_data_0 PARTITION OF npi_data FOR VALUES IN (0);
CREATE TABLE npi_data_1 PARTITION OF npi_data FOR VALUES IN (1);
CREATE TABLE npi_data_2 PARTITION OF npi_data FOR VALUES IN (2);
CREATE UNIQUE INDEX npi_data_npi ON npi_data (npi, entity_type);

-- What is searched: active individuals and organizations at their practice location, a table a letter of the folded name.
CREATE TABLE search_surgeon (
    letter           "char" NOT NULL,                          -- a to z, or 0 for what begins with anything else
    npi              bigint NOT NULL,
    folded           text NOT NULL,                            -- last name, a space, first name: lower case, no accents
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
    folded           text NOT NULL,                            -- the name: lower case, no accents
    facility_name    text,
    address          text,
    city             text,
    state            text,
    zip              text,
    primary_taxonomy text,
    PRIMARY KEY (letter, npi)
) PARTITION BY LIST (letter);
DO $$
DECLARE
    letter text;
BEGIN
    FOREACH letter IN ARRAY string_to_array('a b c d e f g h i j k l m n o p q r s t u v w x y z', ' ') LOOP
        EXECUTE format('CREATE TABLE search_surgeon_%s PARTITION OF search_surgeon FOR VALUES IN (%L)', letter, letter);
        EXECUTE format('CREATE TABLE search_facility_%s PARTITION OF search_facility FOR VALUES IN (%L)', letter, letter);
    END LOOP;
END $$;
CREATE TABLE search_surgeon_other PARTITION OF search_surgeon FOR VALUES IN ('0');
CREATE TABLE search_facility_other PARTITION OF search_facility FOR VALUES IN ('0');
-- By the bytes of the folded name, which serves a prefix whatever the collation; and within a state, since a common name has
-- a hundred thousand bearers.
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
    EXECUTE format('CREATE INDEX search_surgeon_trigrams ON search_surgeon USING gin (folded %s.gin_trgm_ops)', extension);
    EXECUTE format('CREATE INDEX search_facility_trigrams ON search_facility USING gin (folded %s.gin_trgm_ops)', extension);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_trgm is not there: npi search finds names by their beginning only';
END $$;
