-- Returns the columns of the tables and views of a schema. That of a domain has the type beneath. The labels are those of
-- an enum, or those that a CHECK of the column alone names.
-- $1 schema text
SELECT c.relname::text AS relation, quote_ident(c.relname) AS quoted_relation, a.attname::text AS name,
       quote_ident(a.attname) AS quoted, COALESCE(b.typname, t.typname)::text AS base,
       format_type(a.atttypid, a.atttypmod) AS shown, COALESCE(b.typtype, t.typtype) = 'e' AS is_enum,
       a.attnotnull AS is_required, (a.atthasdef OR a.attidentity <> '') AS has_default,
       CASE WHEN COALESCE(b.typtype, t.typtype) = 'e'
            THEN ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = COALESCE(b.oid, t.oid)
                       ORDER BY e.enumsortorder)
            ELSE ARRAY(SELECT replace(m.label[1], '''''', '''')
                       FROM pg_constraint k
                       CROSS JOIN LATERAL pg_get_constraintdef(k.oid) AS d (text)
                       CROSS JOIN LATERAL regexp_matches(d.text, '''((?:[^'']|'''')*)''::', 'g') WITH ORDINALITY
                           AS m (label, number)
                       WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
                         AND d.text ~ '= ANY \(' ORDER BY k.oid, m.number) END AS labels
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON b.oid = t.typbasetype
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
