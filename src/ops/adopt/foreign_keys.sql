-- Returns the foreign keys of one column within a schema, in the order of the columns.
-- $1 schema text
SELECT c.relname::text AS relation, a.attname::text AS name, r.relname::text AS other, k.attname::text AS key
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_class r ON r.oid = f.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.oid = r.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
JOIN pg_attribute k ON k.attrelid = r.oid AND k.attnum = f.confkey[1]
WHERE n.nspname = $1 AND f.contype = 'f' AND array_length(f.conkey, 1) = 1 AND NOT c.relispartition
ORDER BY c.relname, a.attnum, r.relname
