-- Returns what speaks against binding a login to a user; no row if the server has no such role. What runs, acts and
-- looks have recorded tells who uses it; what is older than `prune` keeps, or than the columns, is not known.
-- $1 login text
WITH
-- The owner's table says whose the schema is.
bindings AS (
    SELECT c.oid, c.relowner, n.nspowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass('actor_logins')
),
-- The users of machines who were seen with it.
seen AS (
    SELECT r.os_user FROM cron_job_runs r WHERE r.db_login = $1
    UNION SELECT a.os_user FROM operator_actions a WHERE a.db_login = $1
    UNION SELECT l.os_user FROM phi_access_log l WHERE l.db_login = $1
)
SELECT r.rolcanlogin AS can_login, r.rolsuper AS is_super,
       pg_has_role(r.oid, b.relowner, 'MEMBER') OR pg_has_role(r.oid, b.nspowner, 'MEMBER') AS is_owner,
       has_any_column_privilege(r.oid, b.oid, 'INSERT, UPDATE')
           OR has_table_privilege(r.oid, b.oid, 'DELETE, TRUNCATE, TRIGGER')
           OR has_any_column_privilege(r.oid, to_regclass('actor_rule')::oid, 'INSERT, UPDATE')
           OR has_table_privilege(r.oid, to_regclass('actor_rule')::oid, 'DELETE, TRUNCATE, TRIGGER') AS can_change,
       (SELECT count(*) FROM cron_job_runs x WHERE x.db_login = $1 AND x.source IN ('cron', 'external')) AS scheduled,
       (SELECT count(s.os_user) FROM seen s) AS people
FROM pg_roles r CROSS JOIN bindings b
WHERE r.rolname = $1
