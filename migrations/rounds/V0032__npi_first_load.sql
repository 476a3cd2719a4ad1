-- The first load of the registry fills its tables without their indexes and keys, and builds these afterwards. Only the
-- owner of a table may do that, and the role of refresh-npi is none. So two functions do it as their owner, for whoever may
-- insert into the registry, and only while it is empty.

CREATE TABLE npi_definitions (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    builds text NOT NULL
);

CREATE FUNCTION npi_indexes_off() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    one record;
BEGIN
    IF NOT has_table_privilege(session_user, 'npi_data', 'INSERT') THEN
        RAISE insufficient_privilege USING MESSAGE = 'only who may insert into npi_data may load the registry';
    END IF;
    /* Nobody inserts between this look and the end of the transaction. */
    LOCK TABLE npi_key, npi_data, npi_other_names, search_surgeon, search_facility IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM npi_key) OR EXISTS (SELECT FROM npi_data) OR EXISTS (SELECT FROM npi_other_names) THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'the registry is not empty';
    END IF;
    FOR one IN
        WITH filled AS (
            SELECT c.oid FROM pg_class c
            WHERE c.relnamespace = (SELECT n.relnamespace FROM pg_class n WHERE n.oid = 'npi_data'::regclass)
              AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND (c.relname IN ('npi_key', 'npi_data', 'npi_other_names') OR c.relname ~ '^search_')
        )
        SELECT 1 + (k.contype <> 'f')::int AS place, k.conname AS name,
               format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) AS drops,
               format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,
                      pg_get_constraintdef(k.oid)) AS builds
        FROM pg_constraint k JOIN filled ON filled.oid = k.conrelid
        WHERE k.contype IN ('p', 'u', 'f')
        UNION ALL
        /* The definition of an index of a partitioned table leaves its partitions out. */
        SELECT 3, c.relname, format('DROP INDEX %s', c.oid::regclass),
               regexp_replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
        FROM pg_index i JOIN filled ON filled.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u'))
        /* A foreign key goes before the key to which it refers. */
        ORDER BY place, name
    LOOP
        EXECUTE one.drops;
        INSERT INTO npi_definitions (builds) VALUES (one.builds);
    END LOOP;
END $$;

CREATE FUNCTION npi_indexes_on() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    one record;
BEGIN
    /* What was dropped last is built first: indexes, keys, foreign keys. */
    FOR one IN SELECT d.builds FROM npi_definitions d ORDER BY d.id DESC LOOP
        EXECUTE one.builds;
    END LOOP;
    DELETE FROM npi_definitions;
END $$;

COMMENT ON TABLE npi_definitions IS
    'The indexes and keys of the registry while its first load fills it without them. At any other time it is empty.';
COMMENT ON COLUMN npi_definitions.id IS 'The order in which they were dropped.';
COMMENT ON COLUMN npi_definitions.builds IS 'The statement that builds it again.';
COMMENT ON FUNCTION npi_indexes_off() IS 'Drops the indexes and keys of the empty registry, and keeps their definitions.';
COMMENT ON FUNCTION npi_indexes_on() IS 'Builds what npi_indexes_off() has dropped, and forgets it.';
