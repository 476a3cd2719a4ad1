-- Returns one row about this connection and its role.
-- The name of the role is quoted, because it goes into statements that are printed.
SELECT quote_ident(current_user) AS role, current_setting('server_version') AS version, r.rolsuper AS is_superuser,
       s.version::text AS tls, current_setting('port')::int AS port, pg_is_in_recovery() AS is_standby,
       COALESCE(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1', true) AS is_near,
       COALESCE(a.backend_start, clock_timestamp()) AS backend_start, clock_timestamp() AS now
FROM pg_roles r
LEFT JOIN pg_stat_ssl s ON s.pid = pg_backend_pid() AND s.ssl
LEFT JOIN pg_stat_activity a ON a.pid = pg_backend_pid()
WHERE r.rolname = current_user
