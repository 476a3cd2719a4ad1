-- A gate: a run that comes to the visit 8003 or 8009 waits inside its transaction, as long as another session has the
-- lock of that number. And the trigger of an old application, which refuses the visit 8006 with a text that names the
-- patient.
CREATE SCHEMA IF NOT EXISTS demo;
CREATE FUNCTION demo.gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
    IF NEW.appointment_id IN ('8003', '8009') THEN
        PERFORM pg_advisory_xact_lock(NEW.appointment_id::bigint);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON no_show_logs FOR EACH ROW EXECUTE FUNCTION demo.gate();

CREATE FUNCTION demo.old_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no open invoice for %', (SELECT concat_ws(' ', first_name, last_name) FROM patients
                                              WHERE id = NEW.patient_id);
END $$;
CREATE TRIGGER old_invoices BEFORE UPDATE ON appointments FOR EACH ROW
WHEN (NEW.id = 8006 AND NEW.status = 'NO_SHOW') EXECUTE FUNCTION demo.old_invoices();
