-- Forgets old rows of a table that are no evidence. Returns the count.
-- The caller provides the table, its key, and the condition on a row x.
-- $1 the instant before which a row is old timestamptz · $2 limit bigint
WITH
-- A row that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT x.{key} AS key FROM {table} x WHERE {old} ORDER BY x.{key} LIMIT $2 FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM {table} x USING locked WHERE x.{key} = locked.key RETURNING x.{key}
)
SELECT count(*) AS forgotten FROM deleted
