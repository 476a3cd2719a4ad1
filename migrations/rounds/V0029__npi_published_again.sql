-- A file of the registry that is published again under its name is noticed by its size or its ETag, and loaded once more
-- where a person says so: then the ledger has a row for each content.
ALTER TABLE npi_files ADD COLUMN etag text;
ALTER TABLE npi_files DROP CONSTRAINT npi_files_name_key;
CREATE INDEX npi_files_name ON npi_files (name);

COMMENT ON TABLE npi_files IS
    'The files of the registry (NPPES) that were loaded: the ledger. A file that is in it, by name or by content, '
    'is not loaded again, unless it was published again under its name and a person says --again.';
COMMENT ON COLUMN npi_files.name IS
    'The name on the page, or in the file system. The last row of a name is what is loaded of it.';
COMMENT ON COLUMN npi_files.etag IS
    'The ETag with which the server had it, or where it has none the date (Last-Modified); NULL: the server gave '
    'neither, or it was not downloaded.';
COMMENT ON COLUMN npi_files.rows IS 'Rows of the main file without the header; a row may have several lines.';
COMMENT ON COLUMN npi_files.rejected IS
    'Rows that could not be read, or that the database refused; they are in npi_rejects.';
COMMENT ON TABLE npi_rejects IS 'Rows of files that could not be read, or that the database refused.';
COMMENT ON COLUMN npi_rejects.line IS 'The number of its first line in the file; the header is line 1.';
COMMENT ON COLUMN npi_rejects.reason IS
    'Why it could not be read; or "database:" and the SQLSTATE with which it was refused.';
COMMENT ON COLUMN npi_rejects.raw IS 'The row as it was, without its line end.';
