-- Returns relations of a schema, and all relations beneath its views, with their columns; of a view also what it loses
-- when it is made anew.
-- $1 schema text · $2 names of the relations text[]
WITH RECURSIVE
-- The views of the chain, and the table at its end.
found AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    UNION
    SELECT d.refobjid FROM found f
    JOIN pg_rewrite r ON r.ev_class = f.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> f.oid
)
SELECT c.oid::int8 AS id, n.nspname = $1 AS in_schema, c.relname::text AS name,
       format('%I.%I', n.nspname, c.relname) AS shown,
       c.relkind::text AS kind, c.relowner::int8 AS owner,
       COALESCE(c.reloptions::text ~ 'security_invoker=(true|on|1)', false) AS as_invoker,
       -- The bits of what INSTEAD OF triggers (64) do: 4 is INSERT, 8 DELETE, 16 UPDATE; D is one that is disabled.
       (SELECT COALESCE(bit_or(t.tgtype::int4), 0) FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND t.tgtype & 64 <> 0 AND t.tgenabled <> 'D') AS instead_of,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid, true) END AS definition,
       (SELECT r.ev_action::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename = '_RETURN') AS rule,
       ARRAY(SELECT DISTINCT d.refobjid::int8 FROM pg_rewrite r
             JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
             WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid) AS beneath,
       array_to_string(c.reloptions, ', ') AS options,
       array_remove(ARRAY[
           CASE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid) THEN 'triggers' END,
           CASE WHEN EXISTS (SELECT FROM pg_attrdef d WHERE d.adrelid = c.oid) THEN 'defaults' END,
           CASE WHEN c.relacl IS NOT NULL OR EXISTS (SELECT FROM pg_attribute a
                                                     WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
                THEN 'grants' END], NULL) AS lost,
       columns.numbers, columns.names, columns.quoted, columns.not_null
FROM found f
JOIN pg_class c ON c.oid = f.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT COALESCE(array_agg(a.attnum::int4 ORDER BY a.attnum), '{}') AS numbers,
           COALESCE(array_agg(a.attname::text ORDER BY a.attnum), '{}') AS names,
           COALESCE(array_agg(quote_ident(a.attname) ORDER BY a.attnum), '{}') AS quoted,
           COALESCE(array_agg(a.attnotnull ORDER BY a.attnum), '{}') AS not_null
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) columns
