-- Returns the functions that run when rows of tables are written: of triggers, defaults and checks. Not those of C, and
-- not those with names that were resolved when they were made.
-- $1 oids of the tables int8[]
WITH used AS (
    SELECT t.tgrelid AS relation, t.tgfoid AS function FROM pg_trigger t
    WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
    UNION
    SELECT k.conrelid, d.refobjid FROM pg_constraint k
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass
    WHERE k.conrelid = ANY ($1::oid[])
    UNION
    SELECT a.adrelid, d.refobjid FROM pg_attrdef a
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid AND d.refclassid = 'pg_proc'::regclass
    WHERE a.adrelid = ANY ($1::oid[])
)
SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS function,
       n.nspname::text AS schema, quote_ident(n.nspname) AS schema_shown,
       p.prosrc AS body, p.prosecdef AS is_definer, p.proowner::int8 AS owner,
       COALESCE(p.proconfig::text ~ '[{,"]search_path=', false) AS has_path,
       COALESCE(p.proconfig::text ~ '[{,"]row_security=', false) AS has_row_security,
       string_agg(DISTINCT format('%I.%I', s.nspname, c.relname), ', ') AS tables
FROM used u
JOIN pg_proc p ON p.oid = u.function
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_class c ON c.oid = u.relation
JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL AND n.nspname <> 'pg_catalog'
GROUP BY p.oid, n.oid
ORDER BY 1
