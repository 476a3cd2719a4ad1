-- Deletes a batch of rows whose time is over. One row of counts comes back.
-- $1 .. $4 as in the rules · $5 ids of the rows, bigint[] or uuid[]
WITH
-- FOR UPDATE, and not less: they are to go. What somebody holds is left to the next run.
locked AS MATERIALIZED (
    SELECT x.* FROM {table} x WHERE x.id = ANY ($5) ORDER BY x.id FOR UPDATE SKIP LOCKED
),
-- The rule again, on what the rows say now that they are locked.
due AS MATERIALIZED (
    SELECT x.id FROM locked x
    {due}
),
deleted AS (
    DELETE FROM {table} x USING due WHERE x.id = due.id RETURNING x.id
)
SELECT (SELECT count(*) FROM deleted) AS pruned,
       {skipped_columns}
