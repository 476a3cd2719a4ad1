-- Returns indexes, by schema and name, that hold all rows of their table.
-- $1 schemas and names with a dot, unquoted, text[]
SELECT concat_ws('.', n.nspname, c.relname) AS path
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE concat_ws('.', n.nspname, c.relname) = ANY ($1) AND i.indpred IS NULL
