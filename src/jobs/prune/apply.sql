-- Deletes a batch of old rows, and adds what is kept of them. Returns one row: the count and the skipped ids.
-- $1 to $4 are the parameters of the parts with the rules · $5 ids of the rows, keys
WITH
-- The rows, locked FOR UPDATE because they are deleted. A row that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT x.* FROM {table} x WHERE x.id = ANY ($5) ORDER BY x.id FOR UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT x.id FROM locked x
    {due}
),
deleted AS (
    DELETE FROM {table} x USING due WHERE x.id = due.id RETURNING {returned}
){kept}
SELECT (SELECT count(*) FROM deleted) AS pruned,
       {skipped_columns}
