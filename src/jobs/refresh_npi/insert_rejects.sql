-- Keeps the rejected lines of a file. {stage} is the staging table.
-- $1 the file's id bigint
INSERT INTO npi_rejects (file_id, line, reason, raw)
SELECT $1, s.line, s.reject, s.raw FROM {stage} s WHERE s.reject IS NOT NULL ORDER BY s.line
