-- Returns what lets others than the owner of our schema run code in it: the schema, and the statement that ends it.
-- Superusers are trusted; the functions of extensions are theirs. Our schema is the first of the path after the server's
-- own; without one there are no rows. Every function is named with its schema, since a trap may be among those of ours.
-- No parameters.
WITH
ours AS (
    SELECT n.oid, n.nspname AS name, n.nspacl AS privileges, n.nspowner AS owner
    FROM pg_namespace n
    WHERE n.nspname = (SELECT p.name
                       FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS p (name, place)
                       WHERE p.name <> 'pg_catalog' AND p.name NOT LIKE 'pg\_temp\_%' ORDER BY p.place LIMIT 1)
),
-- The roles that may have code there. pg_database_owner stands for whoever owns the database.
trusted AS (
    SELECT o.owner AS role FROM ours o
    UNION ALL
    SELECT d.datdba FROM ours o JOIN pg_database d ON d.datname = pg_catalog.current_database()
    WHERE pg_catalog.pg_get_userbyid(o.owner) = 'pg_database_owner'
    UNION ALL
    SELECT r.oid FROM pg_roles r WHERE r.rolsuper
)
-- Whoever else may create something.
SELECT o.name::text AS schema,
       pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %s', o.name,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC'
                             ELSE pg_catalog.format('%I', pg_catalog.pg_get_userbyid(a.grantee)) END) AS remedy
FROM ours o CROSS JOIN LATERAL pg_catalog.aclexplode(o.privileges) a
WHERE a.privilege_type = 'CREATE' AND a.grantee NOT IN (SELECT t.role FROM trusted t)
UNION ALL
-- Functions with a name of the server's: a call may mean them.
SELECT o.name::text,
       pg_catalog.format('DROP ROUTINE %I.%I(%s)', o.name, p.proname,
                         pg_catalog.pg_get_function_identity_arguments(p.oid))
FROM ours o JOIN pg_proc p ON p.pronamespace = o.oid
WHERE p.proowner NOT IN (SELECT t.role FROM trusted t)
  AND EXISTS (SELECT FROM pg_proc s WHERE s.proname = p.proname AND s.pronamespace = 'pg_catalog'::regnamespace)
UNION ALL
-- Operators, which have names of the server's.
SELECT o.name::text,
       pg_catalog.format('DROP OPERATOR %I.%s (%s, %s)', o.name, p.oprname,
                         CASE p.oprleft WHEN 0 THEN 'NONE'
                             ELSE pg_catalog.format_type(p.oprleft, NULL::integer) END,
                         pg_catalog.format_type(p.oprright, NULL::integer))
FROM ours o JOIN pg_operator p ON p.oprnamespace = o.oid
WHERE p.oprowner NOT IN (SELECT t.role FROM trusted t)
