-- The privileges that roles were granted in this database by the owners of its relations: object, column, role.
-- $1 the schema text · $2 the roles text[]
WITH
-- The relations of the schema, and sequences wherever they are.
relations AS (
    SELECT c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END || format('%I.%I', n.nspname, c.relname) AS name,
           c.relacl
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') OR c.relkind = 'S'
),
-- Everything that is granted on them, on the schema and on the database.
granted AS (
    SELECT r.name, '' AS column_name, r.relacl AS acl FROM relations r WHERE r.relacl IS NOT NULL
    UNION ALL
    SELECT r.name, quote_ident(a.attname), a.attacl
    FROM relations r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT format('SCHEMA %I', n.nspname), '', n.nspacl FROM pg_namespace n
    WHERE n.nspname IN ($1, $1 || '_staging') AND n.nspacl IS NOT NULL
    UNION ALL
    SELECT format('DATABASE %I', d.datname), '', d.datacl
    FROM pg_database d
    WHERE d.datname = current_database() AND d.datacl IS NOT NULL
)
SELECT g.name, g.column_name AS "column", x.privilege_type AS privilege, r.rolname::text AS role
FROM granted g
CROSS JOIN LATERAL aclexplode(g.acl) x
JOIN pg_roles r ON r.oid = x.grantee
WHERE r.rolname = ANY ($2)
  -- What somebody else has granted, somebody else has to revoke.
  AND pg_has_role(x.grantor, 'USAGE')
