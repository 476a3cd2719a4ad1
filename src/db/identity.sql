-- Returns what tells this database from a copy of it, beside what is recorded; NULL for what is not known.
-- The caller provides the expressions of the last two, which not every server tells.
SELECT current_database()::text AS name,
       (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database()) AS oid,
       {system} AS system, {timeline} AS timeline,
       r.database_name AS recorded_name, r.database_oid AS recorded_oid, r.system_identifier AS recorded_system,
       r.timeline AS recorded_timeline
FROM (VALUES (1)) one (row) LEFT JOIN database_identity r ON true
