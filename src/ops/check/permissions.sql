-- Returns which of some privileges on relations the role has: a privilege on a table or, at least, on each of the
-- columns; a row lock needs UPDATE of any column.
-- $1 oids of the relations int8[] · $2 privileges text[] · $3 columns, with commas, text[]; '' of DELETE, '*' of any
SELECT n.at::int8 AS at,
       CASE WHEN has_table_privilege(n.relation::oid, n.privilege) THEN '{}'
            WHEN n.columns = '' THEN ARRAY['']
            WHEN n.columns = '*' THEN
                CASE WHEN has_any_column_privilege(n.relation::oid, n.privilege) THEN '{}' ELSE ARRAY['*'] END
            ELSE ARRAY(SELECT a.attname::text FROM pg_attribute a
                       WHERE a.attrelid = n.relation::oid AND a.attname = ANY (string_to_array(n.columns, ','))
                         AND NOT a.attisdropped AND NOT has_column_privilege(a.attrelid, a.attnum, n.privilege)
                       ORDER BY a.attnum) END AS lacking
FROM unnest($1, $2, $3) WITH ORDINALITY AS n (relation, privilege, columns, at)
ORDER BY n.at
