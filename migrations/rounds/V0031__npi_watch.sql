-- Providers that a facility watches in the registry, and what has changed of them.
CREATE TABLE npi_watch (
    npi         bigint NOT NULL,
    facility_id text NOT NULL DEFAULT '',
    doctor_id   text,
    added_by    text NOT NULL,
    added_at    timestamptz NOT NULL,
    PRIMARY KEY (npi, facility_id)
);
CREATE TABLE npi_changes (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id bigint NOT NULL REFERENCES npi_files ON DELETE CASCADE,
    npi     bigint NOT NULL,
    change  text NOT NULL CHECK (change IN ('LISTED', 'DEACTIVATED', 'REACTIVATED', 'NAME', 'ADDRESS', 'TAXONOMY')),
    was     text,
    is_now  text
);
CREATE INDEX npi_changes_file ON npi_changes (file_id);
CREATE INDEX npi_changes_npi ON npi_changes (npi);

COMMENT ON TABLE npi_watch IS
    'Providers whose rows in the registry are watched: after each file the admins of the facility are told what has '
    'changed. When the facility or the doctor is gone, the row stays and the admins of the group are told.';
COMMENT ON COLUMN npi_watch.npi IS 'The National Provider Identifier.';
COMMENT ON COLUMN npi_watch.facility_id IS 'The key of the facility that watches; empty: the group.';
COMMENT ON COLUMN npi_watch.doctor_id IS 'The key of the doctor whose NPI it is; NULL: a person named the NPI.';
COMMENT ON COLUMN npi_watch.added_by IS 'The key of the user who added it.';
COMMENT ON COLUMN npi_watch.added_at IS 'When it was added.';
COMMENT ON TABLE npi_changes IS 'What a file has changed of providers that were watched when it was loaded.';
COMMENT ON COLUMN npi_changes.id IS 'The order of insertion.';
COMMENT ON COLUMN npi_changes.file_id IS 'The file.';
COMMENT ON COLUMN npi_changes.npi IS 'The National Provider Identifier.';
COMMENT ON COLUMN npi_changes.change IS
    'LISTED: the registry had no such NPI before; DEACTIVATED; REACTIVATED; NAME; ADDRESS; TAXONOMY.';
COMMENT ON COLUMN npi_changes.was IS 'As it was before; NULL: nothing.';
COMMENT ON COLUMN npi_changes.is_now IS 'As it is since; NULL: nothing.';
