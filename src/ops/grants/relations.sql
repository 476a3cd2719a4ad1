-- The relations of the schema by these names, with their columns, and the sequences that the defaults of what is beneath
-- call: the server asks whoever inserts for USAGE on them, also through a view.
-- $1 the schema text · $2 the names text[]
WITH RECURSIVE
-- Each relation, and what its views read.
beneath (top, id) AS (
    SELECT c.oid, c.oid
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION
    SELECT b.top, d.refobjid
    FROM beneath b
    JOIN pg_rewrite w ON w.ev_class = b.id AND w.ev_type = '1'
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'f')
),
-- The sequences of defaults. Those of identities ask for nothing.
sequences AS (
    SELECT DISTINCT b.top, format('%I.%I', n.nspname, s.relname) AS name, pg_has_role(s.relowner, 'USAGE') AS is_mine
    FROM beneath b
    JOIN pg_attrdef f ON f.adrelid = b.id
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
    JOIN pg_namespace n ON n.oid = s.relnamespace
)
SELECT c.relname::text AS relation, format('%I.%I', $1, c.relname) AS name, pg_has_role(c.relowner, 'USAGE') AS is_mine,
       quote_ident(pg_get_userbyid(c.relowner)) AS owner,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
       ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS quoted,
       ARRAY(SELECT s.name FROM sequences s WHERE s.top = c.oid AND s.is_mine ORDER BY s.name) AS sequences,
       ARRAY(SELECT s.name FROM sequences s WHERE s.top = c.oid AND NOT s.is_mine ORDER BY s.name) AS others
FROM beneath b
JOIN pg_class c ON c.oid = b.top
WHERE b.id = b.top
