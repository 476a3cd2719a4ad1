-- Returns the columns of relations of a schema, with their types; that of a domain is the type beneath.
-- $1 schema text · $2 names of the relations text[]
SELECT c.relname::text AS relation, a.attname::text AS name, COALESCE(b.typname, t.typname)::text AS base,
       format_type(a.atttypid, a.atttypmod) AS shown,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = COALESCE(b.oid, t.oid)) AS labels
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON b.oid = t.typbasetype
WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
