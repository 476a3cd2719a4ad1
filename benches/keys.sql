-- Gives the clinic's tables other keys: those of the reference set are bigint. psql variable: kind, uuid or text.
-- The order of keys stays that of the numbers; foreign keys and indexes are made again.
\set ON_ERROR_STOP on
SET search_path = rounds;
SELECT set_config('bench.kind', :'kind', false);
DO $$
DECLARE
    kind text := current_setting('bench.kind');
    key text := CASE kind WHEN 'uuid' THEN 'lpad(%1$I::text, 32, ''0'')::uuid' ELSE '''k'' || lpad(%1$I::text, 24, ''0'')' END;
    clinic oid[] := ARRAY(SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind = 'r'
                          AND c.relname = ANY (string_to_array(
                              'facilities users doctors doctor_schedules doctor_absences departments patients appointments '
                              'doctor_slots px_cases teams team_members tickets ticket_followers ticket_comments sla_policies '
                              'notification_preferences escalation_rules surgical_cases organizations organization_users '
                              'patient_organization_affiliations provider_intakeq_settings', ' ')));
    foreign_keys text[] := '{}';
    one record;
BEGIN
    FOR one IN SELECT conrelid::regclass AS t, conname, pg_get_constraintdef(oid) AS def FROM pg_constraint
               WHERE contype = 'f' AND conrelid = ANY (clinic) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.t, one.conname);
        foreign_keys := foreign_keys || format('ALTER TABLE %s ADD CONSTRAINT %I %s', one.t, one.conname, one.def);
    END LOOP;
    FOR one IN SELECT a.attrelid::regclass AS t,
                      string_agg(format('ALTER %I DROP IDENTITY IF EXISTS', a.attname), ', ') AS numbers,
                      string_agg(format('ALTER %I TYPE %s USING ', a.attname, kind) || format(key, a.attname), ', ')
                          AS changes
               FROM pg_attribute a
               WHERE a.attrelid = ANY (clinic) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'bigint'::regtype
               GROUP BY a.attrelid LOOP
        EXECUTE format('ALTER TABLE %s %s', one.t, one.numbers);
        EXECUTE format('ALTER TABLE %s %s', one.t, one.changes);
    END LOOP;
    -- The ids in the rules' actions.
    EXECUTE format('UPDATE escalation_rules SET action = jsonb_set(action, ''{teamId}'', to_jsonb((%s)::text))
                    WHERE action ? ''teamId''', replace(key, '%1$I', '(action ->> ''teamId'')'));
    EXECUTE format('UPDATE escalation_rules SET action = jsonb_set(action, ''{userIds,0}'', to_jsonb((%s)::text))
                    WHERE action ? ''userIds''', replace(key, '%1$I', '(action -> ''userIds'' ->> 0)'));
    FOR one IN SELECT unnest(foreign_keys) AS def LOOP
        EXECUTE one.def;
    END LOOP;
END $$;
VACUUM (ANALYZE);
