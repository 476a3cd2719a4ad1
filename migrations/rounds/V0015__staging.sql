-- The schema into which refresh-npi stages files: it creates a table a run there. Our own schema is in the path of every
-- statement, so nobody but its owner may create anything in it; this one is in no path.
-- An administrator may have made it before, for an owner who has no CREATE on the database.
DO $$
DECLARE
    staging CONSTANT text := current_schema() || '_staging';
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace n
                   WHERE n.nspname = staging AND pg_get_userbyid(n.nspowner) = current_user) THEN
        EXECUTE format('CREATE SCHEMA %I', staging);
    END IF;
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', staging,
                   'Tables of refresh-npi while it loads a file. A run makes one and drops it.');
END $$;
