-- The next row of a table gets a number behind those that were given here.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['facilities', 'users', 'doctors', 'doctor_schedules', 'doctor_absences', 'departments',
                                'patients', 'appointments', 'px_cases', 'teams', 'tickets', 'sla_policies',
                                'escalation_rules', 'surgical_cases', 'organizations'] LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), max(id)) FROM %I', name, name);
    END LOOP;
END $$;
