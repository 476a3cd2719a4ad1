-- Keeps the rejected rows of a file. {stage} is the staging table.
-- $1 the file's id bigint
INSERT INTO npi_rejects (file_id, entry, line, reason, raw)
SELECT $1, CASE WHEN s.line < 0 THEN 'OTHER_NAMES' ELSE 'MAIN' END, abs(s.line), s.reject, s.raw
FROM {stage} s WHERE s.reject IS NOT NULL ORDER BY s.line < 0, abs(s.line)
