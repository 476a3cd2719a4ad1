-- Returns the indexes of a schema: their keys as text, and their predicates.
-- $1 schema text
SELECT c.relname::text AS relation, i.indisunique AS is_unique,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, number, true) FROM generate_series(1, i.indnkeyatts::int) number
             ORDER BY number) AS keys,
       COALESCE(pg_get_expr(i.indpred, i.indrelid, true), '') AS predicate
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND i.indisvalid AND NOT c.relispartition
ORDER BY c.relname, i.indexrelid
