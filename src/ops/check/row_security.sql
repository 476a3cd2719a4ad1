-- Returns which of some tables have policies that would hide rows from a role. A policy holds for a role that is no
-- superuser, has no BYPASSRLS, and does not own the table, or for the owner, too, where it is forced.
-- $1 oids of the tables int8[] · $2 oids of the roles int8[], NULL: the current one
SELECT n.at::int8 AS at, quote_ident(r.rolname) AS role, r.rolname = current_user AS is_current
FROM unnest($1, $2) WITH ORDINALITY AS n (relation, role, at)
JOIN pg_class c ON c.oid = n.relation::oid
JOIN pg_roles r ON r.oid = n.role::oid OR n.role IS NULL AND r.rolname = current_user
WHERE c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
  AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
ORDER BY n.at
