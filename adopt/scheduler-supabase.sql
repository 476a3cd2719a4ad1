-- Kit: `rounds sync-practiceq` on the tables of a scheduler on Supabase, instead of the application's own sync.
--
-- Run it once, after `rounds migrate`: psql -v ON_ERROR_STOP=1 -f adopt/scheduler-supabase.sql
-- It makes views, functions and triggers in the schema `rounds`, and indexes on the application's tables; no row and no
-- column of these changes. It can be run again. A person has to decide where `-- ?` stands.
--
-- Who runs it: the owner of the application's tables and of the schema `rounds` (on Supabase `postgres`). The views and
-- functions work with the rights of that role. `patients` has row security: so the role must own the table, or have
-- BYPASSRLS, or the jobs would not see all patients. The first statement checks that. The role of the jobs then needs
-- what `rounds grants sync-practiceq` prints, and nothing on the application's tables.
-- Never add the schema `rounds` to those that the API of the project exposes: its views show all patients.
--
-- A visit of the account that cannot be stored is a failed item of the run, and the others go on:
--   UNMAPPED_SERVICE  its service is not in service_instance_mappings. `rounds runs show RUN` lists the appointments;
--                     the server's log has the ids of the services. Add the row; the next sync stores the visit.
--   NO_PROVIDER       its practitioner is nobody's in provider_intakeq_settings, and the patient has no provider.

BEGIN;

DO $$
DECLARE
    hidden text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') INTO hidden
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
      AND c.relname IN ('organizations', 'patients', 'providers', 'provider_intakeq_settings', 'partner_users',
                        'patient_organization_affiliations', 'appointments', 'service_instance_mappings', 'sync_logs')
      AND NOT (pg_has_role(current_user, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity)
      AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND (r.rolbypassrls OR r.rolsuper));
    IF hidden IS NOT NULL THEN
        RAISE EXCEPTION 'row security hides rows of % from %; run this as their owner, or as a role with BYPASSRLS',
                        hidden, current_user;
    END IF;
END $$;

-- Indexes that the job needs. On a live system make them before, one by one, by these names and with CREATE [UNIQUE]
-- INDEX CONCURRENTLY, which cannot be in a transaction; they are then found here. The first fails where an appointment
-- of the account is stored twice: keep one of them.
CREATE UNIQUE INDEX IF NOT EXISTS rounds_appointments_external_id ON public.appointments (pq_appointment_id);
CREATE INDEX IF NOT EXISTS rounds_patients_email ON public.patients (lower(btrim(email))) WHERE email IS NOT NULL;
CREATE INDEX IF NOT EXISTS rounds_affiliations_patient
    ON public.patient_organization_affiliations (patient_id, organization_id) WHERE status = 'active';
CREATE INDEX IF NOT EXISTS rounds_affiliations_organization
    ON public.patient_organization_affiliations (organization_id, patient_id) WHERE status = 'active';

-- The one place whose clock says what is today, and at what time of the day a visit is. The application has instants
-- and no places.
CREATE TABLE IF NOT EXISTS rounds.facilities (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name      text NOT NULL,
    -- A zone that the server does not know cannot be stored.
    time_zone text NOT NULL CHECK (timestamptz '2026-01-01 00:00Z' AT TIME ZONE time_zone IS NOT NULL)
);
CREATE UNIQUE INDEX IF NOT EXISTS facilities_only_one ON rounds.facilities ((true));
-- ? The zone of the practice.
INSERT INTO rounds.facilities (name, time_zone) VALUES ('Practice', 'America/Denver')
ON CONFLICT ((true)) DO NOTHING;

-- Each view has one table, and scalar subselects for the rest, so that its rows can be locked.
CREATE OR REPLACE VIEW rounds.organizations AS
SELECT o.id, o.name, (SELECT f.id FROM rounds.facilities f) AS facility_id FROM public.organizations o;

CREATE OR REPLACE VIEW rounds.doctors AS
SELECT p.id, (SELECT f.id FROM rounds.facilities f) AS facility_id FROM public.providers p;

-- A patient who is marked as deleted is none: the account's appointments of such a client wait for a person.
CREATE OR REPLACE VIEW rounds.patients AS
SELECT p.id, p.first_name, p.last_name, p.date_of_birth, p.email FROM public.patients p WHERE p.deleted_at IS NULL;

-- The application has active, inactive and transferred. Only active ones are in scope.
CREATE OR REPLACE VIEW rounds.patient_organization_affiliations AS
SELECT l.id, l.patient_id, l.organization_id, l.status FROM public.patient_organization_affiliations l;

-- Who a practitioner of the account is: the provider's settings say it, else the provider. By id only.
CREATE OR REPLACE VIEW rounds.provider_intakeq_settings AS
SELECT p.id, p.id AS doctor_id,
       coalesce((SELECT s.practitioner_id FROM public.provider_intakeq_settings s WHERE s.provider_id = p.id),
                p.intakeq_practitioner_id) AS practitioner_id,
       -- ? p.workspace_email, where that is the address by which the account knows the provider.
       NULL::text AS practitioner_email
FROM public.providers p;

-- ? The names of the roles. A case manager gets notices, and may refresh the own organization. An admin of a partner
-- organization is none of the practice: who starts the sync of all patients by hand is said by `providers.role`.
CREATE OR REPLACE VIEW rounds.users AS
SELECT u.id, u.full_name AS name, CASE u.role WHEN 'case_manager' THEN 'CASE_MANAGER' ELSE 'PARTNER' END AS role,
       u.is_active IS TRUE AS active, NULL::uuid AS facility_id, u.email
FROM public.partner_users u
UNION ALL
SELECT p.id, concat_ws(' ', p.first_name, p.last_name),
       CASE p.role WHEN 'admin' THEN 'HOSPITAL_ADMIN' ELSE 'DOCTOR' END, p.is_active IS TRUE, NULL, p.email
FROM public.providers p;

-- ? partner_users.notification_preferences is a jsonb, whose keys only the application knows. Without a row a user is
-- told in the application.
CREATE OR REPLACE VIEW rounds.notification_preferences AS
SELECT NULL::uuid AS user_id, NULL::boolean AS in_app, NULL::boolean AS email WHERE false;

CREATE OR REPLACE VIEW rounds.organization_users AS
SELECT u.organization_id, u.id AS user_id, CASE u.role WHEN 'case_manager' THEN 'CASE_MANAGER' END AS role
FROM public.partner_users u;

-- Statuses are lower case beneath. A visit that is gone from the account is cancelled there, with the former status in
-- the reason (see scheduler_follow_visit); the job goes on seeing the former status.
CREATE OR REPLACE VIEW rounds.appointments AS
SELECT a.id, (SELECT f.id FROM rounds.facilities f) AS facility_id, a.provider_id AS doctor_id, a.patient_id,
       CASE WHEN a.pq_appointment_id IS NULL THEN 'LOCAL' ELSE 'PRACTICEQ' END AS source,
       a.pq_appointment_id AS external_id,
       (a.start_time AT TIME ZONE (SELECT f.time_zone FROM rounds.facilities f))::date AS appointment_date,
       (a.start_time AT TIME ZONE (SELECT f.time_zone FROM rounds.facilities f))::time AS start_time,
       CASE WHEN a.status = 'cancelled' AND a.cancellation_reason LIKE 'deleted in PracticeQ, was %'
                 THEN upper(split_part(a.cancellation_reason, ', was ', 2))
            ELSE upper(a.status) END AS status,
       CASE WHEN a.status = 'cancelled' AND (a.cancellation_reason LIKE 'deleted in PracticeQ, was %') IS NOT TRUE
                 THEN coalesce(a.updated_at, a.start_time) END AS cancelled_at,
       NULL::uuid AS cancelled_by, a.created_at, a.updated_at
FROM public.appointments a;

-- What the sync hands over for a visit beyond the columns of the view: service_id, starts_at, ends_at, meeting_url and
-- names. NULL: nothing. Each visit is a line of the setting, which is cut out as text: to read the whole as JSON for
-- each visit takes seconds for a large batch.
CREATE OR REPLACE FUNCTION rounds.scheduler_said(external_id text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(split_part(split_part(current_setting('rounds.practiceq_rows', true),
                                        E'\n' || to_json(external_id)::text || ': ', 2), E'\n', 1), '')::jsonb
$$;

-- The instance for the service of the account. The error makes its appointment a failed item.
CREATE OR REPLACE FUNCTION rounds.scheduler_service(said jsonb) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    instance uuid;
BEGIN
    SELECT m.service_instance_id INTO instance FROM public.service_instance_mappings m
    WHERE m.system = 'practiceq' AND m.service_id = said ->> 'service_id';
    IF instance IS NULL THEN
        RAISE EXCEPTION 'a service of the account is not mapped'
            USING ERRCODE = 'RK001', DETAIL = format('service_id %s', coalesce(said ->> 'service_id', 'is missing')),
                  SCHEMA = 'public', TABLE = 'service_instance_mappings', COLUMN = 'service_id';
    END IF;
    RETURN instance;
END $$;

-- What a visit keeps of its patient.
CREATE OR REPLACE FUNCTION rounds.scheduler_patient_info(p public.patients) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('first_name', p.first_name, 'last_name', p.last_name,
        'preferred_name', p.preferred_name, 'email', p.email, 'phone', p.phone, 'date_of_birth', p.date_of_birth))
$$;
CREATE OR REPLACE FUNCTION rounds.scheduler_insurance_info(p public.patients) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('primary', p.insurance_primary, 'secondary', p.insurance_secondary,
        'medicaid_id', p.medicaid_id))
$$;

-- The functions below wait for 100 ms for what the application holds, so that nobody runs into a deadlock. Then the
-- visit is left to the next run, as `locked`.

-- The sync inserts a visit. Returns NULL where the application has it already: nothing was inserted then.
CREATE OR REPLACE FUNCTION rounds.scheduler_insert_visit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    said    jsonb := rounds.scheduler_said(NEW.external_id);
    zone    text := (SELECT f.time_zone FROM rounds.facilities f);
    -- An hour that the clock shows twice is told apart by the instant.
    starts  timestamptz := coalesce((said ->> 'starts_at')::timestamptz,
                                    (NEW.appointment_date + NEW.start_time) AT TIME ZONE zone);
    -- ? How long a visit is, where the account does not say.
    ends    timestamptz := coalesce((said ->> 'ends_at')::timestamptz, starts + interval '30 minutes');
    patient public.patients;
BEGIN
    SELECT * INTO patient FROM public.patients p WHERE p.id = NEW.patient_id;
    IF coalesce(NEW.doctor_id, patient.primary_provider_id) IS NULL THEN
        RAISE EXCEPTION 'a visit without a provider'
            USING ERRCODE = 'RK002', SCHEMA = 'public', TABLE = 'appointments', COLUMN = 'provider_id';
    END IF;
    INSERT INTO public.appointments (
        pq_appointment_id, patient_id, provider_id, rendering_provider_id, service_instance_id, start_time, end_time,
        timezone, status, appointment_type, meeting_url, patient_info, insurance_info, booking_source, is_test,
        created_at, updated_at)
    VALUES (
        NEW.external_id, NEW.patient_id, coalesce(NEW.doctor_id, patient.primary_provider_id), NEW.doctor_id,
        rounds.scheduler_service(said), starts, ends, zone, lower(NEW.status),
        CASE WHEN said ->> 'meeting_url' IS NOT NULL THEN 'telehealth' END, said ->> 'meeting_url',
        rounds.scheduler_patient_info(patient), rounds.scheduler_insurance_info(patient), 'practiceq',
        patient.is_test_patient, NEW.created_at, NEW.updated_at)
    ON CONFLICT (pq_appointment_id) DO NOTHING
    RETURNING id INTO NEW.id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER scheduler_insert_visit INSTEAD OF INSERT ON rounds.appointments
    FOR EACH ROW EXECUTE FUNCTION rounds.scheduler_insert_visit();

-- The sync updates a visit. What tells of the former patient does not go with the visit to another.
CREATE OR REPLACE FUNCTION rounds.scheduler_update_visit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    said        jsonb := rounds.scheduler_said(NEW.external_id);
    starts      timestamptz := coalesce((said ->> 'starts_at')::timestamptz,
        (NEW.appointment_date + NEW.start_time) AT TIME ZONE (SELECT f.time_zone FROM rounds.facilities f));
    is_moved    boolean := NEW.appointment_date + NEW.start_time IS DISTINCT FROM OLD.appointment_date + OLD.start_time;
    is_set      boolean := NEW.status IS DISTINCT FROM OLD.status;
    is_anothers boolean := NEW.patient_id IS DISTINCT FROM OLD.patient_id;
    patient     public.patients;
BEGIN
    SELECT * INTO patient FROM public.patients p WHERE p.id = NEW.patient_id;
    UPDATE public.appointments a
    SET provider_id = coalesce(NEW.doctor_id, a.provider_id),
        rendering_provider_id = CASE WHEN a.rendering_provider_id IS NOT DISTINCT FROM OLD.doctor_id
                                          THEN NEW.doctor_id ELSE a.rendering_provider_id END,
        start_time = CASE WHEN is_moved THEN starts ELSE a.start_time END,
        end_time = CASE WHEN is_moved
                             THEN coalesce((said ->> 'ends_at')::timestamptz, starts + (a.end_time - a.start_time))
                        ELSE a.end_time END,
        status = CASE WHEN is_set THEN lower(NEW.status) ELSE a.status END,
        cancellation_reason = CASE WHEN is_set AND a.cancellation_reason LIKE 'deleted in PracticeQ, was %' THEN NULL
                                   ELSE a.cancellation_reason END,
        patient_id = NEW.patient_id,
        patient_info = CASE WHEN is_anothers THEN rounds.scheduler_patient_info(patient) ELSE a.patient_info END,
        insurance_info = CASE WHEN is_anothers THEN rounds.scheduler_insurance_info(patient) ELSE a.insurance_info END,
        insurance_policy_id = CASE WHEN NOT is_anothers THEN a.insurance_policy_id END,
        payer_id = CASE WHEN NOT is_anothers THEN a.payer_id END,
        payer_snapshot = CASE WHEN NOT is_anothers THEN a.payer_snapshot END,
        member_snapshot = CASE WHEN NOT is_anothers THEN a.member_snapshot END,
        billing_context_snapshot = CASE WHEN NOT is_anothers THEN a.billing_context_snapshot END,
        roi_contacts = CASE WHEN NOT is_anothers THEN a.roi_contacts END,
        is_test = CASE WHEN is_anothers THEN patient.is_test_patient ELSE a.is_test END,
        updated_at = NEW.updated_at
    WHERE a.id = OLD.id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER scheduler_update_visit INSTEAD OF UPDATE ON rounds.appointments
    FOR EACH ROW EXECUTE FUNCTION rounds.scheduler_update_visit();

-- The rest of a visit is in the ledger of the sync, and follows from there: its end, its link, its service where the
-- account changes that, and whether it is gone. The sync holds the visit's row meanwhile. The link that people edit,
-- practiceq_generated_google_meet, stays. What this raises makes the visit a failed item.
CREATE OR REPLACE FUNCTION rounds.scheduler_follow_visit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    mark   text := 'deleted in PracticeQ, was ';
    former public.appointments;
    visit  public.appointments;
BEGIN
    SELECT * INTO former FROM public.appointments a WHERE a.pq_appointment_id = NEW.external_id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    visit := former;
    visit.start_time := NEW.starts_at;
    visit.end_time := coalesce(NEW.ends_at, NEW.starts_at + (former.end_time - former.start_time));
    -- A link that the account changes is taken over; one that it does not have any more is taken away only where the sync
    -- wrote it. So what a person entered stays until the account has a new one. (OLD is NULL at an INSERT.)
    IF NEW.meeting_url IS DISTINCT FROM OLD.meeting_url
       AND (NEW.meeting_url IS NOT NULL OR former.meeting_url IS NOT DISTINCT FROM OLD.meeting_url) THEN
        visit.meeting_url := NEW.meeting_url;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.service_name IS DISTINCT FROM OLD.service_name THEN
        visit.service_instance_id := rounds.scheduler_service(rounds.scheduler_said(NEW.external_id));
    END IF;
    IF NEW.deleted_at IS NOT NULL AND former.status IN ('scheduled', 'confirmed') THEN
        visit.status := 'cancelled';
        visit.cancellation_reason := mark || former.status;
    ELSIF NEW.deleted_at IS NULL AND former.status = 'cancelled' AND former.cancellation_reason LIKE mark || '%' THEN
        visit.status := substr(former.cancellation_reason, length(mark) + 1);
        visit.cancellation_reason := NULL;
    END IF;
    IF visit IS DISTINCT FROM former THEN
        UPDATE public.appointments a
        SET start_time = visit.start_time, end_time = visit.end_time, meeting_url = visit.meeting_url,
            service_instance_id = visit.service_instance_id, status = visit.status,
            cancellation_reason = visit.cancellation_reason, updated_at = clock_timestamp()
        WHERE a.id = former.id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER scheduler_follow_new_visit AFTER INSERT ON rounds.practiceq_visits
    FOR EACH ROW EXECUTE FUNCTION rounds.scheduler_follow_visit();
CREATE OR REPLACE TRIGGER scheduler_follow_visit
    AFTER UPDATE OF starts_at, ends_at, meeting_url, service_name, deleted_at ON rounds.practiceq_visits
    FOR EACH ROW WHEN (
        (OLD.starts_at, OLD.ends_at, OLD.meeting_url, OLD.service_name, OLD.deleted_at)
        IS DISTINCT FROM (NEW.starts_at, NEW.ends_at, NEW.meeting_url, NEW.service_name, NEW.deleted_at))
    EXECUTE FUNCTION rounds.scheduler_follow_visit();

-- What the application's own pages go on showing. Drop the triggers of what nobody reads. None of these can fail a run:
-- what goes wrong in them is a warning in the server's log, and the run goes on.

-- Its sync_logs. It knows no automated_incremental: what changed, as it changes, is `webhook` there. So a page that
-- looks for the last automated_daily is not told of an incremental run. Ours stays in the metadata.
CREATE OR REPLACE FUNCTION rounds.scheduler_show_log() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    INSERT INTO public.sync_logs AS l (
        id, sync_type, organization_id, patient_id, triggered_by_user_id, started_at, completed_at, duration_ms, status,
        appointments_new, appointments_updated, appointments_unchanged, appointments_errors, patients_processed,
        patients_failed, error_message, metadata, created_at)
    VALUES (
        NEW.run_id, CASE NEW.sync_type WHEN 'automated_incremental' THEN 'webhook' ELSE NEW.sync_type END,
        NEW.organization_id::uuid, NEW.patient_id::uuid,
        -- ? The application names a user by the id of the login.
        coalesce((SELECT u.auth_user_id FROM public.partner_users u WHERE u.id = NEW.triggered_by_user_id::uuid),
                 (SELECT p.auth_user_id FROM public.providers p WHERE p.id = NEW.triggered_by_user_id::uuid)),
        NEW.started_at, NEW.completed_at, NEW.duration_ms, NEW.status, NEW.appointments_new, NEW.appointments_updated,
        NEW.appointments_unchanged, NEW.appointments_errors, NEW.patients_processed, NEW.patients_failed,
        NEW.error_message, NEW.metadata || jsonb_build_object('rounds_sync_type', NEW.sync_type), NEW.created_at)
    ON CONFLICT (id) DO UPDATE
    SET patient_id = excluded.patient_id, completed_at = excluded.completed_at, duration_ms = excluded.duration_ms,
        status = excluded.status, appointments_new = excluded.appointments_new,
        appointments_updated = excluded.appointments_updated,
        appointments_unchanged = excluded.appointments_unchanged,
        appointments_errors = excluded.appointments_errors, patients_processed = excluded.patients_processed,
        patients_failed = excluded.patients_failed, error_message = excluded.error_message,
        metadata = excluded.metadata;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'rounds.scheduler_show_log: public.sync_logs does not show a sync, SQLSTATE %', SQLSTATE;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER scheduler_show_log AFTER INSERT OR UPDATE ON rounds.sync_logs
    FOR EACH ROW EXECUTE FUNCTION rounds.scheduler_show_log();

-- Since when the visits of a patient are fresh. Rows that the application holds are left to the next sync.
CREATE OR REPLACE FUNCTION rounds.scheduler_show_freshness() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    WITH held AS MATERIALIZED (
        SELECT l.id, f.fresh_since
        FROM fresh f JOIN public.patient_organization_affiliations l
             ON l.patient_id = f.patient_id::uuid AND l.organization_id = f.organization_id::uuid
                AND l.status = 'active'
        ORDER BY l.id FOR NO KEY UPDATE OF l SKIP LOCKED
    )
    UPDATE public.patient_organization_affiliations l SET last_practiceq_sync_at = held.fresh_since
    FROM held WHERE l.id = held.id;
    WITH held AS MATERIALIZED (
        SELECT p.id, (SELECT max(f.fresh_since) FROM fresh f WHERE f.patient_id::uuid = p.id) AS fresh_since
        FROM public.patients p WHERE p.id IN (SELECT f.patient_id::uuid FROM fresh f)
        ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED
    )
    UPDATE public.patients p SET last_intakeq_sync = held.fresh_since FROM held WHERE p.id = held.id;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'rounds.scheduler_show_freshness: the application does not show a sync, SQLSTATE %', SQLSTATE;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER scheduler_show_new_freshness AFTER INSERT ON rounds.practiceq_freshness
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION rounds.scheduler_show_freshness();
CREATE OR REPLACE TRIGGER scheduler_show_freshness AFTER UPDATE ON rounds.practiceq_freshness
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION rounds.scheduler_show_freshness();

-- These have their owner's rights, so nobody else may put them on a table.
REVOKE ALL ON FUNCTION rounds.scheduler_insert_visit(), rounds.scheduler_update_visit(),
    rounds.scheduler_follow_visit(), rounds.scheduler_show_log(), rounds.scheduler_show_freshness() FROM PUBLIC;

COMMIT;

-- The application's own sync is switched off before the first run that is no dry run. What it stored is taken over: a
-- visit is known by pq_appointment_id.
