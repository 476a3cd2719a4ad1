-- Sets the counts of a merged file in the ledger, and returns them. The
-- caller provides the rows that were carried out.
-- $1 the file's id bigint · $2 its rows bigint · $3 .. $5 its rows of entity type 0, 1 and 2 bigint
-- $6 its rejected rows bigint · $7 when its download or reading began timestamptz
-- $8 .. $11 of other names: the rows of their file and the rejected ones, or NULL; those added and removed bigint
UPDATE npi_files f SET
    rows = $2, rows_0 = $3, rows_1 = $4, rows_2 = $5, rejected = $6, inserted = c.inserted, updated = c.updated,
    unchanged = c.unchanged, older = c.older, duplicates = $2 - $6 - c.npis, deactivated = c.deactivated,
    other_rows = $8, other_rejected = $9, other_added = $10, other_removed = $11,
    seconds = EXTRACT(epoch FROM clock_timestamp() - $7)
FROM (SELECT count(*) AS npis,
             count(*) FILTER (WHERE t.class = 'I') AS inserted,
             count(*) FILTER (WHERE t.class = 'C') AS updated,
             count(*) FILTER (WHERE t.class = 'U') AS unchanged,
             count(*) FILTER (WHERE t.class = 'O') AS older,
             count(*) FILTER (WHERE t.class IN ('I', 'C') AND t.inactive) AS deactivated
      FROM {todo}) c
WHERE f.id = $1
RETURNING f.rows, f.inserted, f.updated, f.unchanged, f.older, f.duplicates, f.deactivated, f.rejected, f.seconds,
          f.other_rows, f.other_rejected, f.other_added, f.other_removed
