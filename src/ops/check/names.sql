-- Returns the schemas, beside the server's own and ours, in which names are that a function uses, and whether the name
-- is that of a table whose policies would hide rows from a role.
-- $1 our schema text · $2 names of relations text[] · $3 of functions text[] · $4 of types text[]
-- $5 oid of the role int8, NULL: the current one
WITH found AS (
    SELECT c.relname::text AS name, c.relnamespace AS namespace,
           c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
           AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE')) AS has_policies
    FROM pg_class c CROSS JOIN pg_roles r
    WHERE c.relname = ANY ($2) AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
      AND (r.oid = $5::oid OR $5 IS NULL AND r.rolname = current_user)
    UNION ALL
    SELECT p.proname::text, p.pronamespace, false FROM pg_proc p WHERE p.proname = ANY ($3)
    UNION ALL
    SELECT t.typname::text, t.typnamespace, false FROM pg_type t WHERE t.typname = ANY ($4)
)
SELECT DISTINCT f.name, n.nspname::text AS schema, quote_ident(n.nspname) AS shown, f.has_policies
FROM found f JOIN pg_namespace n ON n.oid = f.namespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', $1) AND n.nspname NOT LIKE 'pg\_temp\_%'
  -- What the server has, too, is the server's in our path.
  AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = f.name AND p.pronamespace = 'pg_catalog'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typname = f.name AND t.typnamespace = 'pg_catalog'::regnamespace)
ORDER BY f.name, schema
