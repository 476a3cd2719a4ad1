-- Enters a file into the ledger, with counts of 0, which update_counts.sql sets after the merge. Returns the file's id.
-- $1 name text · $2 kind text · $3 sha256 text · $4 bytes bigint · $5 first day date · $6 last day date
-- $7 header text · $8 now timestamptz · $9 run id uuid · $10 ETag text, or NULL
INSERT INTO npi_files (name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2,
                       inserted, updated, unchanged, older, duplicates, deactivated, rejected, seconds, processed_at,
                       run_id, etag)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $8, $9, $10)
RETURNING id
