-- The kit for a hospital's application made with Prisma: views in the schema rounds over its tables in public, for
-- mark-no-shows, stage-alerts, notify-cancellations, apply-absences and flag-schedule-conflicts, with the doctors'
-- schedules and absences; and triggers by which the application goes on seeing what its own scheduler used to write. Run it once, after
-- `rounds migrate`, as a role that owns the application's tables and the schema rounds:
--
--     psql -d DATABASE -v zone=America/New_York -f adopt/hospital-prisma.sql
--
-- The application has no column for a time zone, so you say the hospitals' zone here. It is one transaction: after an
-- error nothing was changed. It may be run again, for example after a migration of the application that had to drop a
-- view; what rounds.hospital_settings says by then stays.
--
-- To undo it: DROP the functions rounds.hospital_* with CASCADE (which takes the triggers), the views, the tables
-- rounds.hospital_* and the indexes rounds_*. Nothing of the application's own is changed.

\set ON_ERROR_STOP on
\if :{?zone}
\else
DO $$ BEGIN RAISE EXCEPTION 'which time zone are the hospitals in? Add it: psql -v zone=America/New_York ...'; END $$;
\endif

BEGIN;
-- What is there already is no news.
SET LOCAL client_min_messages = warning;

-- 1. What only a person knows, a row for each hospital. A hospital without a row is a failed item of each run
--    (UNKNOWN_TIME_ZONE), until you add one.
CREATE TABLE IF NOT EXISTS rounds.hospital_settings (
    hospital_id           text PRIMARY KEY,
    -- An IANA name, such as America/New_York or Asia/Dubai; no abbreviation and no offset.
    time_zone             text NOT NULL
                          CONSTRAINT time_zone_is_an_iana_name
                          CHECK (time_zone ~ '^(UTC|[A-Z][A-Za-z_]+/[A-Za-z0-9_/+-]+)$'
                                 AND (timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL),
    -- After so many minutes a patient is a no-show; NULL: after the doctor's slot length.
    no_show_after_minutes integer CHECK (no_show_after_minutes > 0),
    -- After so many minutes since check-in all staff are alerted; NULL: as stage-alerts is told, else never.
    waiting_alert_minutes integer CHECK (waiting_alert_minutes > 0),
    -- Whether missed patients may get an SMS. The application does not keep their consent, so nobody does at first.
    sms                   boolean NOT NULL DEFAULT false
);
-- A hospital in another zone: UPDATE rounds.hospital_settings SET time_zone = '...' WHERE hospital_id = '...';
INSERT INTO rounds.hospital_settings (hospital_id, time_zone)
SELECT h.id, :'zone' FROM public.hospitals h
ON CONFLICT (hospital_id) DO NOTHING;

-- 2. The views. Each has one table, and subselects for what comes from others: a JOIN could not be locked.
CREATE OR REPLACE VIEW rounds.facilities AS
SELECT h.id, h.name,
       (SELECT s.time_zone FROM rounds.hospital_settings s WHERE s.hospital_id = h.id) AS time_zone,
       (SELECT s.no_show_after_minutes FROM rounds.hospital_settings s WHERE s.hospital_id = h.id)
           AS no_show_after_minutes,
       (SELECT s.waiting_alert_minutes FROM rounds.hospital_settings s WHERE s.hospital_id = h.id)
           AS waiting_alert_minutes
FROM public.hospitals h;

-- Only roles that rounds knows. All others are left out on purpose, patients with a login most of all: a patient who
-- waits too long is told, with the name, to all users of the hospital that are in this view.
CREATE OR REPLACE VIEW rounds.users AS
SELECT u.id, u."hospitalId" AS facility_id, concat_ws(' ', u."firstName", u."lastName") AS name, u.email,
       CASE u.role WHEN 'SUPER_ADMIN' THEN 'HOSPITAL_ADMIN' WHEN 'ACCOUNTANT' THEN 'BILLING'
                   ELSE u.role::text END AS role,
       u."isActive" AS active
FROM public.users u
WHERE u.role IN ('SUPER_ADMIN', 'HOSPITAL_ADMIN', 'DOCTOR', 'NURSE', 'RECEPTIONIST', 'ACCOUNTANT');

-- The application asks nobody how they want to be told: all are told in the application.
CREATE OR REPLACE VIEW rounds.notification_preferences AS
SELECT NULL::text AS user_id, NULL::boolean AS in_app, NULL::boolean AS email WHERE false;

CREATE OR REPLACE VIEW rounds.departments AS
SELECT d.id, d."hospitalId" AS facility_id, d.name
FROM public.departments d;

-- A doctor's hospital and name are those of the login.
CREATE OR REPLACE VIEW rounds.doctors AS
SELECT d.id,
       (SELECT u."hospitalId" FROM public.users u WHERE u.id = d."userId") AS facility_id,
       d."userId" AS user_id,
       (SELECT u."firstName" FROM public.users u WHERE u.id = d."userId") AS first_name,
       (SELECT u."lastName" FROM public.users u WHERE u.id = d."userId") AS last_name,
       d."slotDuration" AS slot_duration_minutes
FROM public.doctors d;

-- When a doctor works. The application says it twice; doctors."availableDays" is not read, since it has no times.
CREATE OR REPLACE VIEW rounds.doctor_schedules AS
SELECT s.id, s."doctorId" AS doctor_id,
       CASE s."dayOfWeek" WHEN 'MONDAY' THEN 1 WHEN 'TUESDAY' THEN 2 WHEN 'WEDNESDAY' THEN 3 WHEN 'THURSDAY' THEN 4
                          WHEN 'FRIDAY' THEN 5 WHEN 'SATURDAY' THEN 6 WHEN 'SUNDAY' THEN 7 END AS weekday,
       s."startTime" AS start_time, s."endTime" AS end_time, s."breakStart" AS break_start, s."breakEnd" AS break_end,
       s."isActive" AS active, s."createdAt" AS created_at, s."updatedAt" AS updated_at
FROM public.doctor_schedules s;

-- Times hold for a part of a day only. Over several days they mean here: from the first on the first day, to the last
-- on the last day.
CREATE OR REPLACE VIEW rounds.doctor_absences AS
SELECT x.id, x."doctorId" AS doctor_id, x."absenceType"::text AS type, x."startDate" AS first_day,
       x."endDate" AS last_day, CASE WHEN NOT x."isFullDay" THEN x."startTime" END AS start_time,
       CASE WHEN NOT x."isFullDay" THEN x."endTime" END AS end_time, x.status, x.reason
FROM public.doctor_absences x;

CREATE OR REPLACE VIEW rounds.patients AS
SELECT p.id, p.mrn, p."firstName" AS first_name, p."lastName" AS last_name, p."dateOfBirth"::date AS date_of_birth,
       p.email, NULLIF(btrim(p.phone), '') AS phone,
       NOT EXISTS (SELECT FROM rounds.hospital_settings s WHERE s.hospital_id = p."hospitalId" AND s.sms)
           AS sms_opt_out
FROM public.patients p;

-- The day and the times are passed on as they are: the day of a timestamp with an hour is still that day, and a text
-- that is no time is a failed item of the run (UNREADABLE_TIME), not a visit that nobody sees. The jobs write status,
-- notes and updated_at, which are plain columns. The application does not say when a visit was cancelled, nor by whom: it counts
-- from when notify-cancellations first sees it.
CREATE OR REPLACE VIEW rounds.appointments AS
SELECT a.id, a."hospitalId" AS facility_id, a."doctorId" AS doctor_id,
       (SELECT d."departmentId" FROM public.doctors d WHERE d.id = a."doctorId") AS department_id,
       a."patientId" AS patient_id, 'LOCAL'::text AS source, NULL::text AS external_id,
       a."appointmentDate" AS appointment_date, a."startTime" AS start_time, a.status,
       a."checkedInAt" AS checked_in_at, a."vitalsRecordedAt" AS vitals_recorded_at,
       NULL::timestamp AS cancelled_at, NULL::text AS cancelled_by, NULL::text AS cancelled_reason, a.notes,
       a."createdAt" AS created_at, a."updatedAt" AS updated_at,
       -- Whoever may update this may lock the row, and write nothing.
       NULL::boolean AS row_lock
FROM public.appointments a;

-- The application has "isAvailable" where we have is_booked, so a trigger translates what the jobs write.
CREATE OR REPLACE VIEW rounds.doctor_slots AS
SELECT s.id, s."doctorId" AS doctor_id, s."slotDate" AS slot_date, s."startTime" AS start_time,
       s."endTime" AS end_time, NOT s."isAvailable" AS is_booked, s."isBlocked" AS is_blocked,
       s."appointmentId" AS appointment_id
FROM public.doctor_slots s;

CREATE OR REPLACE FUNCTION rounds.hospital_slot_written() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    UPDATE public.doctor_slots s
    SET "isAvailable" = NOT NEW.is_booked, "isBlocked" = NEW.is_blocked, "appointmentId" = NEW.appointment_id,
        "updatedAt" = now() AT TIME ZONE 'UTC'
    WHERE s.id = OLD.id;
    -- A slot that is gone was not released, and must not be counted.
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER hospital_slot_written INSTEAD OF UPDATE ON rounds.doctor_slots
    FOR EACH ROW EXECUTE FUNCTION rounds.hospital_slot_written();

-- 3. Indexes for the scans and for the triggers below. On a live system, run these lines before this file, each by
--    itself as CREATE INDEX CONCURRENTLY, which does not keep the application from writing; then they are found here.
--    Copy them into a migration of the application, so that Prisma does not take them for a drift.
CREATE INDEX IF NOT EXISTS rounds_appointments_awaited ON public.appointments ("appointmentDate")
    WHERE status IN ('SCHEDULED', 'CONFIRMED');
CREATE INDEX IF NOT EXISTS rounds_appointments_awaited_by_doctor ON public.appointments ("doctorId", "appointmentDate")
    WHERE status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN');
CREATE INDEX IF NOT EXISTS rounds_appointments_cancelled ON public.appointments ("appointmentDate")
    WHERE status = 'CANCELLED';
CREATE INDEX IF NOT EXISTS rounds_appointments_checked_in ON public.appointments ("appointmentDate")
    WHERE status = 'CHECKED_IN';
CREATE INDEX IF NOT EXISTS rounds_doctor_absences_active ON public.doctor_absences ("doctorId", "endDate")
    WHERE status = 'ACTIVE';
CREATE INDEX IF NOT EXISTS rounds_stage_alerts_appointment ON public.stage_alerts ("appointmentId");

-- 4. What the application's pages read. Triggers on our tables write into its tables, in the transaction of the change
--    itself. They must not end a run:
--    - a row whose visit or user is gone, or whose value the application's enum does not have, is left out;
--    - a table that the application has dropped is left alone;
--    - a patient whom the application holds is counted later;
--    - a row that it is deleting, or whose key or unique column it is changing, is waited for 100 ms; then the visit is
--      left to the next run, as `locked`. The same holds for a table that it is altering;
--    - what else goes wrong with a visit's log, counters, alert or notice makes that visit a failed item, with all or
--      nothing of it done: staff who look at the application's pages only must not miss it without anybody knowing;
--    - cron_job_runs is only shown, and concerns no visit: what goes wrong there is a warning in the server's log. A run
--      whose beginning was not shown is shown when it ends; one whose end was not shown stays RUNNING there. The same
--      holds for the notices about failing runs: the run closes without them.
--    Our tables keep everything. Once the application's pages read ours, drop the triggers. Notices to patients are in
--    rounds.notifications only: no column of the application says which login a patient has.

-- What is still to be added to the counters of patients: those whom the application held at that moment. The next visit
-- that is marked counts them.
CREATE TABLE IF NOT EXISTS rounds.hospital_counts_due (
    patient_id text NOT NULL,
    missed_at  timestamptz NOT NULL
);
CREATE OR REPLACE FUNCTION rounds.hospital_count_missed(patients text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH
    free AS MATERIALIZED (
        SELECT p.id FROM public.patients p WHERE p.id = ANY (patients) ORDER BY p.id FOR NO KEY UPDATE SKIP LOCKED
    ),
    taken AS (
        DELETE FROM rounds.hospital_counts_due d USING free WHERE d.patient_id = free.id
        RETURNING d.patient_id, d.missed_at
    ),
    missed AS (
        SELECT t.patient_id, count(*)::int AS visits, max(t.missed_at) AS last_at FROM taken t GROUP BY t.patient_id
    )
    UPDATE public.patients p
    SET "noShowCount" = p."noShowCount" + missed.visits,
        "lastNoShowAt" = GREATEST(p."lastNoShowAt", missed.last_at AT TIME ZONE 'UTC'),
        "updatedAt" = now() AT TIME ZONE 'UTC'
    FROM missed WHERE p.id = missed.patient_id
$$;

-- no_show_logs, and the counters of the patient. Where no timeout is known, it is 0 there.
CREATE OR REPLACE FUNCTION rounds.hospital_no_show_logged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regclass('public.no_show_logs') IS NOT NULL THEN
        INSERT INTO public.no_show_logs (id, "hospitalId", "appointmentId", "patientId", "doctorId", reason, "slotTime",
                                         "timeoutMinutes", "triggeredAt", "slotReleased", "slotReleasedAt", notes,
                                         "createdBy")
        SELECT gen_random_uuid()::text, a."hospitalId", a.id, a."patientId", a."doctorId", label, a."startTime",
               COALESCE(l.timeout_minutes, 0), l.triggered_at AT TIME ZONE 'UTC', l.slot_released,
               l.slot_released_at AT TIME ZONE 'UTC', l.notes,
               (SELECT u.id FROM public.users u WHERE u.id = l.created_by)
        FROM logged l
        JOIN public.appointments a ON a.id = l.appointment_id
        JOIN unnest(enum_range(NULL::public."NoShowReason")) AS label ON label::text = l.reason;
    END IF;
    INSERT INTO rounds.hospital_counts_due (patient_id, missed_at)
    SELECT a."patientId", l.triggered_at FROM logged l JOIN public.appointments a ON a.id = l.appointment_id;
    PERFORM rounds.hospital_count_missed(ARRAY(
        SELECT a."patientId" FROM logged l JOIN public.appointments a ON a.id = l.appointment_id));
    -- What could not be counted before must not keep this visit from being marked, whatever happens.
    IF EXISTS (SELECT FROM rounds.hospital_counts_due) THEN
        BEGIN
            PERFORM rounds.hospital_count_missed(ARRAY(SELECT d.patient_id FROM rounds.hospital_counts_due d));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'rounds.hospital_counts_due could not be counted yet: %', SQLSTATE;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_no_show_logged AFTER INSERT ON rounds.no_show_logs
    REFERENCING NEW TABLE AS logged FOR EACH STATEMENT EXECUTE FUNCTION rounds.hospital_no_show_logged();

-- no_show_logs: a mark was undone. The application's row of it is taken away, and the patient is counted once less; our
-- row stays as evidence.
CREATE OR REPLACE FUNCTION rounds.hospital_no_show_undone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    patients text[] := ARRAY(
        SELECT a."patientId"
        FROM changed l
        JOIN before b ON b.id = l.id AND b.undone_at IS NULL AND l.undone_at IS NOT NULL
        JOIN public.appointments a ON a.id = l.appointment_id);
BEGIN
    -- What was not counted yet is counted first.
    PERFORM rounds.hospital_count_missed(patients);
    UPDATE public.patients p
    SET "noShowCount" = GREATEST(p."noShowCount" - u.visits, 0), "updatedAt" = now() AT TIME ZONE 'UTC'
    FROM (SELECT u.id, count(*)::int AS visits FROM unnest(patients) AS u (id) GROUP BY u.id) u
    WHERE p.id = u.id;
    IF to_regclass('public.no_show_logs') IS NOT NULL THEN
        DELETE FROM public.no_show_logs s
        USING changed l JOIN before b ON b.id = l.id AND b.undone_at IS NULL AND l.undone_at IS NOT NULL
        WHERE s."appointmentId" = l.appointment_id
          AND s."triggeredAt" = (l.triggered_at AT TIME ZONE 'UTC')::timestamp(3);
        UPDATE public.patients p
        SET "lastNoShowAt" = (SELECT max(s."triggeredAt") FROM public.no_show_logs s WHERE s."patientId" = p.id)
        WHERE p.id = ANY (patients);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_no_show_undone AFTER UPDATE ON rounds.no_show_logs
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT
    EXECUTE FUNCTION rounds.hospital_no_show_undone();

-- stage_alerts: an alert is raised, unless the application has an open one of the visit and type.
CREATE OR REPLACE FUNCTION rounds.hospital_alert_raised() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regclass('public.stage_alerts') IS NOT NULL THEN
        INSERT INTO public.stage_alerts (id, "hospitalId", "appointmentId", "patientId", "doctorId", "alertType",
                                         message, "triggeredAt")
        SELECT gen_random_uuid()::text, a."hospitalId", a.id, a."patientId", a."doctorId", label, x.message,
               x.triggered_at AT TIME ZONE 'UTC'
        FROM raised x
        JOIN public.appointments a ON a.id = x.appointment_id
        JOIN unnest(enum_range(NULL::public."StageAlertType")) AS label ON label::text = x.alert_type
        WHERE NOT EXISTS (SELECT FROM public.stage_alerts s WHERE s."appointmentId" = a.id
                          AND s."alertType" = label AND s.status <> 'RESOLVED');
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_alert_raised AFTER INSERT ON rounds.stage_alerts
    REFERENCING NEW TABLE AS raised FOR EACH STATEMENT EXECUTE FUNCTION rounds.hospital_alert_raised();

-- stage_alerts: an alert is acknowledged or resolved. What a person did in the application's own page stays.
CREATE OR REPLACE FUNCTION rounds.hospital_alert_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regclass('public.stage_alerts') IS NOT NULL THEN
        UPDATE public.stage_alerts s
        SET status = label,
            "acknowledgedAt" = COALESCE(s."acknowledgedAt", x.acknowledged_at AT TIME ZONE 'UTC'),
            "acknowledgedBy" = COALESCE(s."acknowledgedBy",
                                        (SELECT u.id FROM public.users u WHERE u.id = x.acknowledged_by)),
            "resolvedAt" = x.resolved_at AT TIME ZONE 'UTC',
            "resolvedBy" = (SELECT u.id FROM public.users u WHERE u.id = x.resolved_by)
        FROM changed x
        JOIN unnest(enum_range(NULL::public."StageAlertStatus")) AS label ON label::text = x.status
        WHERE s."appointmentId" = x.appointment_id AND s."alertType"::text = x.alert_type AND s.status <> label
          AND s.status <> 'RESOLVED';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_alert_changed AFTER UPDATE ON rounds.stage_alerts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rounds.hospital_alert_changed();

-- notifications: the notices to users.
CREATE OR REPLACE FUNCTION rounds.hospital_user_notified() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regclass('public.notifications') IS NOT NULL THEN
        INSERT INTO public.notifications (id, "userId", title, message, type, data, "createdAt")
        SELECT gen_random_uuid()::text, u.id, n.title, n.body, label,
               n.metadata || CASE n.entity WHEN 'appointment' THEN jsonb_build_object('appointmentId', n.entity_id)
                                           ELSE '{}' END,
               n.created_at AT TIME ZONE 'UTC'
        FROM staged n
        JOIN public.users u ON u.id = n.recipient_id
        JOIN unnest(enum_range(NULL::public."NotificationType")) AS label
            ON label::text = CASE n.entity WHEN 'appointment' THEN 'ALERT' ELSE 'SYSTEM' END
        WHERE n.recipient_kind = 'USER' AND n.channel = 'IN_APP' AND n.status = 'SENT';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_user_notified AFTER INSERT ON rounds.notifications
    REFERENCING NEW TABLE AS staged FOR EACH STATEMENT EXECUTE FUNCTION rounds.hospital_user_notified();

-- cron_job_runs: a run begins, and ends. A run that turns out to be one too many is SKIPPED, for which there is no
-- label: it is not listed.
CREATE OR REPLACE FUNCTION rounds.hospital_run_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regclass('public.cron_job_runs') IS NOT NULL THEN
        INSERT INTO public.cron_job_runs AS r (id, "jobName", status, "startedAt", "completedAt", "durationMs",
                                               "itemsProcessed", "errorMessage", metadata)
        SELECT NEW.id::text, NEW.job_name, label, NEW.started_at AT TIME ZONE 'UTC',
               NEW.completed_at AT TIME ZONE 'UTC', LEAST(NEW.duration_ms, 2147483647)::int,
               LEAST(NEW.items_processed, 2147483647)::int, NEW.error_message, NEW.metadata
        FROM unnest(enum_range(NULL::public."CronJobStatus")) AS label WHERE label::text = NEW.status
        ON CONFLICT (id) DO UPDATE
        SET status = EXCLUDED.status, "completedAt" = EXCLUDED."completedAt", "durationMs" = EXCLUDED."durationMs",
            "itemsProcessed" = EXCLUDED."itemsProcessed", "errorMessage" = EXCLUDED."errorMessage",
            metadata = EXCLUDED.metadata;
        IF NOT FOUND THEN
            DELETE FROM public.cron_job_runs r WHERE r.id = NEW.id::text;
        END IF;
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'rounds.hospital_run_changed: public.cron_job_runs does not show a run, SQLSTATE %', SQLSTATE;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER hospital_run_changed AFTER INSERT OR UPDATE OF status ON rounds.cron_job_runs
    FOR EACH ROW EXECUTE FUNCTION rounds.hospital_run_changed();

-- The functions have their owner's rights, so nobody else may put them on a table.
REVOKE ALL ON FUNCTION rounds.hospital_slot_written(), rounds.hospital_count_missed(text[]),
    rounds.hospital_no_show_logged(), rounds.hospital_no_show_undone(), rounds.hospital_alert_raised(),
    rounds.hospital_alert_changed(), rounds.hospital_user_notified(), rounds.hospital_run_changed() FROM PUBLIC;

COMMIT;
