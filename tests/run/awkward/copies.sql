-- Copies of the rows of every table, each with one awkward value in one column. What a constraint refuses is not there.
-- A column of a key, or of a unique index, gets another value in each copy, so that the copy is a row of its own.
CREATE TABLE copies (relation text PRIMARY KEY, tried bigint NOT NULL, kept bigint NOT NULL);

-- The awkward values of each type, as JSON. A text that needs much work is put into the copies of one row alone.
CREATE TEMPORARY TABLE awkward AS
SELECT t.type, v.value, length(v.value::text) > 100000 AS is_long
FROM (SELECT DISTINCT format_type(a.atttypid, a.atttypmod) AS type FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0) t
CROSS JOIN LATERAL (
    SELECT 'null'::jsonb AS value
    UNION ALL
    SELECT to_jsonb(value) FROM unnest(CASE
        WHEN type IN ('timestamp with time zone', 'timestamp without time zone')
            THEN ARRAY['infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999', '0001-01-01',
                       '9999-12-31 23:59:59.999999']
        WHEN type = 'date' THEN ARRAY['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01']
        WHEN type = 'time without time zone' THEN ARRAY['24:00', '00:00']
        WHEN type = 'smallint' THEN ARRAY['32767', '-32768', '0']
        WHEN type = 'integer' THEN ARRAY['2147483647', '-2147483648', '0', '-1']
        WHEN type = 'bigint' THEN ARRAY['9223372036854775807', '-9223372036854775808', '0', '-1']
        WHEN type LIKE 'numeric%' THEN ARRAY['NaN', 'Infinity', '-Infinity', '9999999999.99', '-9999999999.99']
        WHEN type = 'double precision' THEN ARRAY['NaN', 'Infinity', '-Infinity', '1e300', '-1e300', '0']
        WHEN type = 'interval' THEN ARRAY['178000000 years', '-178000000 years', '2147483647 days']
        WHEN type = 'boolean' THEN ARRAY['true', 'false']
        WHEN type = 'uuid' THEN ARRAY['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']
        WHEN type = 'text'
            THEN ARRAY['', ' ', repeat('x', 5000), repeat('word ', 1 << 18), E'\u0001\u001b]52;c;eA==\u0007\r\n\t',
                       U&'\202E\2066\200F\FEFF', U&'\+01F600', '-1', 'infinity', '{"a": 1}', '%s %n', $x$'"$1{}\$x$]
        END) AS value
    UNION ALL
    SELECT value::jsonb FROM unnest(CASE WHEN type = 'jsonb' THEN ARRAY[
        '[]', '{}', '0', '""', 'true', '1e400', '{"report": 1e400, "arguments": []}',
        '{"report": null, "arguments": null}', '{"report": [], "arguments": "x"}',
        repeat('[', 500) || repeat(']', 500), repeat('{"a":', 200) || '1' || repeat('}', 200),
        '{"report": ' || repeat('[', 300) || repeat(']', 300) || '}',
        '{"report": {"scanned": -1, "failed": "x", "skipped": {"a": null}, "errors": [1, null, {}]}}',
        jsonb_build_object('report', repeat('x', 2 << 20))::text, '{"message": "\u001b]52;c;x\u0007"}',
        jsonb_build_object('message', repeat('word ', 15000))::text] END) AS value
    UNION ALL
    SELECT value::jsonb FROM unnest(CASE WHEN type = 'text[]' THEN ARRAY['[]', '[null]', '["", "\u0001"]'] END) AS value
) v;

-- Another value of the column in each copy.
CREATE FUNCTION pg_temp.fresh(type text, number bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN type IN ('bigint', 'integer') THEN to_jsonb(number + 1000000)
                WHEN type = 'text' THEN to_jsonb('z' || number)
                WHEN type = 'uuid' THEN to_jsonb(gen_random_uuid())
                WHEN type = 'date' THEN to_jsonb(date '2026-03-02' + number::int) END
$$;

DO $$
DECLARE
    relation record;
    place record;
    template jsonb;
    value jsonb;
    columns text;
    others jsonb;
    number bigint := 0;
    tried bigint;
    kept bigint;
    is_later boolean;
BEGIN
    FOR relation IN
        SELECT c.oid, c.relname FROM pg_class c
        WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname NOT IN ('copies', 'refinery_schema_history') AND c.relname NOT LIKE '%migrations%'
        ORDER BY c.relname
    LOOP
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
        FROM pg_attribute a WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped;
        -- The columns of unique indexes; one that refers to another table cannot get just any value, but none, and one of
        -- a list of words stays.
        CREATE TEMPORARY TABLE keys ON COMMIT DROP AS
        SELECT DISTINCT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, f.conname IS NOT NULL AS refers
        FROM pg_index x
        JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey::int2[])
        LEFT JOIN pg_constraint f ON f.conrelid = x.indrelid AND f.contype = 'f' AND a.attnum = ANY (f.conkey)
        WHERE x.indrelid = relation.oid AND x.indisunique AND x.indpred IS NULL
          AND NOT EXISTS (SELECT FROM pg_constraint w WHERE w.conrelid = x.indrelid AND w.contype = 'c'
                          AND a.attnum = ANY (w.conkey) AND pg_get_constraintdef(w.oid) LIKE '%= ANY (ARRAY[%')
          AND CASE WHEN f.conname IS NULL
                   THEN format_type(a.atttypid, a.atttypmod) IN ('bigint', 'integer', 'text', 'uuid', 'date')
                   ELSE NOT a.attnotnull AND x.indnatts = 1 END;
        tried := 0;
        kept := 0;
        is_later := false;
        FOR template IN EXECUTE format('SELECT to_jsonb(t) FROM %I t', relation.relname) LOOP
            FOR place IN
                SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type FROM pg_attribute a
                WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
            LOOP
                FOR value IN SELECT w.value FROM awkward w WHERE w.type = place.type AND NOT (w.is_long AND is_later) LOOP
                    number := number + 1;
                    tried := tried + 1;
                    SELECT jsonb_object_agg(u.name, CASE WHEN NOT u.refers THEN pg_temp.fresh(u.type, number) END)
                    INTO others FROM keys u;
                    BEGIN
                        EXECUTE format('INSERT INTO %1$I (%2$s) OVERRIDING SYSTEM VALUE
                                        SELECT %2$s FROM jsonb_populate_record(NULL::%1$I, $1)',
                                       relation.relname, columns)
                        USING template || COALESCE(others, '{}') || jsonb_build_object(place.attname, value);
                        kept := kept + 1;
                    EXCEPTION WHEN OTHERS THEN
                        -- A constraint, or the type, refuses it.
                    END;
                END LOOP;
            END LOOP;
            is_later := true;
        END LOOP;
        INSERT INTO copies VALUES (relation.relname, tried, kept);
        DROP TABLE keys;
    END LOOP;
END $$;
