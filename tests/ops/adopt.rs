//! `rounds adopt`: what it drafts for applications, that the draft can be run as it is, and that the jobs work on it.

mod newcomer;

use serde_json::Value;

use super::refused;
use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::{Clinic, connect, server};

const HOSPITAL: &str = include_str!("../data/applications/hospital-prisma.sql");
const HELPDESK: &str = include_str!("../data/applications/helpdesk-prisma.sql");
const SCHEDULER: &str = include_str!("../data/applications/scheduler-supabase.sql");

/// A database with an application's tables, and nothing of ours.
async fn application(tables: &str) -> Clinic {
    let clinic = Clinic::empty().await;
    connect(&server().url(&clinic.database)).await.batch_execute(tables).await.expect("the application's tables");
    clinic
}

async fn draft(clinic: &Clinic, from: &str, jobs: &[&str]) -> String {
    clinic.run(&[&["adopt", "--from", from], jobs].concat()).await.expect(0).stdout
}

/// Everything in the database beside the server's own: relations with their columns, and functions.
async fn everything(clinic: &Clinic) -> Value {
    let query = "SELECT (SELECT jsonb_agg(nspname ORDER BY nspname) FROM pg_namespace) AS schemas,
                        (SELECT jsonb_agg(concat_ws(' ', c.oid::regclass, a.attname, a.atttypid) ORDER BY c.oid, a.attnum)
                         FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
                         WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)') AS columns,
                        (SELECT count(*) FROM pg_proc) AS functions";
    clinic.json(query).await
}

/// Runs a draft as psql does.
async fn make(clinic: &Clinic, draft: &str) {
    let session = connect(&server().url(&clinic.database)).await;
    session.batch_execute(draft).await.unwrap_or_else(|error| panic!("{error:?}\n{draft}"));
}

/// Drafts for these jobs, and for all; writes nothing; makes the views before `migrate` and after, and once more.
async fn can_be_run(tables: &str, jobs: &[&str]) -> String {
    let clinic = application(tables).await;
    let before = everything(&clinic).await;
    let (own, all) = (draft(&clinic, "public", jobs).await, draft(&clinic, "public", &[]).await);
    assert_eq!(everything(&clinic).await, before, "nothing is written");
    make(&clinic, &own).await;
    clinic.run(&["migrate"]).await.expect(0);
    for text in [&own, &all, &all] {
        make(&clinic, text).await;
    }
    let open = r"SELECT count(*) FROM pg_proc WHERE pronamespace = 'rounds'::regnamespace AND proname ~ '^(insert|update)_'
                 AND NOT (prosecdef AND NOT has_function_privilege('public', oid, 'EXECUTE')
                          AND 'lock_timeout=100ms' = ANY (proconfig))";
    assert_eq!(clinic.count(open).await, 0, "each has the rights of its owner, is closed to others, and waits briefly");
    for text in [&own, &all] {
        let told = text.split(" lines with `-- ?`").next().and_then(|head| head.rsplit(' ').next());
        let marks = text.lines().skip(5).filter(|line| line.contains("-- ? ")).count();
        assert_eq!(told, Some(marks.to_string().as_str()), "{text}");
    }
    assert_eq!(draft(&clinic, "public", &[]).await.lines().skip(8).collect::<Vec<_>>(), without_schema(&all));
    own
}

/// The lines of a draft behind its head, as they are when the schema is there.
fn without_schema(draft: &str) -> Vec<&str> {
    let draft: Vec<&str> = draft.lines().collect();
    let at = draft.iter().position(|line| line.starts_with("CREATE SCHEMA")).expect("it was not there");
    [&draft[8..at], &draft[at + 2..]].concat()
}

#[tokio::test]
async fn the_draft_of_a_hospital_can_be_run_as_it_is() {
    let text = can_be_run(HOSPITAL, &["mark-no-shows", "stage-alerts"]).await;
    insta::assert_snapshot!("hospital", text);
}

#[tokio::test]
async fn the_draft_of_a_help_desk_can_be_run_as_it_is() {
    let text = can_be_run(HELPDESK, &["monitor-ticket-sla", "escalate-tickets"]).await;
    insta::assert_snapshot!("help_desk", text);
}

#[tokio::test]
async fn the_draft_of_a_scheduler_can_be_run_as_it_is() {
    let text = can_be_run(SCHEDULER, &["sync-practiceq"]).await;
    insta::assert_snapshot!("scheduler", text);
}

/// One visit of a hospital at 09:00 in New York, with its slot.
const HOSPITAL_ROWS: &str = r#"
    INSERT INTO hospitals (id, name, code, address, city, state, country, "zipCode", phone, email, "licenseNumber",
                           "updatedAt") VALUES ('h', 'H', 'H', 'a', 'c', 's', 'US', '1', '1', 'e', 'l', now());
    INSERT INTO users (id, "hospitalId", email, password, "firstName", "lastName", role, "updatedAt")
        VALUES ('u', 'h', 'e', 'p', 'Ada', 'Stone', 'DOCTOR', now());
    INSERT INTO departments (id, "hospitalId", name, code, "updatedAt") VALUES ('dep', 'h', 'D', 'D', now());
    INSERT INTO doctors (id, "userId", "departmentId", specialization, qualification, "licenseNumber", "consultationFee",
                         "availableDays", "slotDuration", "updatedAt")
        VALUES ('d', 'u', 'dep', 's', 'q', 'l', 1, '{}', 15, now());
    INSERT INTO patients (id, "hospitalId", mrn, "firstName", "lastName", "dateOfBirth", gender, phone, address, city,
                          state, "zipCode", "updatedAt")
        VALUES ('p', 'h', 'm', 'P', 'D', '1980-01-01', 'MALE', '+1', 'a', 'c', 's', 'z', now());
    INSERT INTO appointments (id, "hospitalId", "patientId", "doctorId", "appointmentDate", "startTime", "endTime", type,
                              "updatedAt")
        VALUES ('a', 'h', 'p', 'd', '2026-03-02', '9:00', '09:15', 'CONSULTATION', '2026-01-01');
    INSERT INTO doctor_slots (id, "doctorId", "hospitalId", "slotDate", "startTime", "endTime", "isAvailable",
                              "appointmentId", "updatedAt")
        VALUES ('s', 'd', 'h', '2026-03-02', '09:00', '12:00', false, 'a', '2026-01-01')"#;

#[tokio::test]
async fn a_hospital_marks_a_visit_when_its_two_questions_are_answered() {
    let clinic = application(HOSPITAL).await;
    clinic.sql(&format!("SET search_path = public; {HOSPITAL_ROWS}; SET search_path = rounds")).await;
    clinic.run(&["migrate"]).await.expect(0);
    let draft = draft(&clinic, "public", &["mark-no-shows"]).await;
    make(&clinic, &draft).await;
    // Undecided is NULL: the hospital has no time zone, so none of its visits is judged.
    let outcome = clinic.mark("2026-03-02T14:15:00Z").await.expect(3);
    assert!(outcome.stderr.contains("UNKNOWN_TIME_ZONE"), "{outcome:?}");
    for question in ["NULL::text AS time_zone", "NULL::boolean AS sms_opt_out"] {
        assert_eq!(draft.matches(question).count(), 1, "{draft}");
    }
    let answered = draft.replace("NULL::text AS time_zone", "'America/New_York' AS time_zone");
    make(&clinic, &answered.replace("NULL::boolean AS sms_opt_out", "true AS sms_opt_out")).await;
    assert_eq!(clinic.mark("2026-03-02T14:14:59Z").await.expect(0).count("marked"), 0);
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 1);
    let visit = r#"SELECT a.status::text, a."updatedAt"::text AS at, s."isAvailable" AS free, s."appointmentId" AS visit,
                          s."updatedAt" > '2026-01-01' AS stamped
                   FROM public.appointments a CROSS JOIN public.doctor_slots s"#;
    let expected =
        r#"{"at": "2026-03-02 14:15:00", "free": true, "visit": null, "status": "NO_SHOW", "stamped": true}"#;
    assert_eq!(clinic.json(visit).await, serde_json::from_str::<Value>(expected).expect("JSON"));
    let notice = clinic.row("SELECT body FROM notifications WHERE channel = 'IN_APP'", &[]).await;
    assert!(notice.get::<_, &str>(0).contains("Dr. Stone"), "the doctor's name is that of the login");
}

/// The reference set in a schema of an application, with uuid keys and the names that an ORM gives.
async fn ordinary() -> Clinic {
    let tables = Kind::Uuid.with_keys();
    let tables = format!(
        "CREATE FUNCTION public.camel(text) RETURNS text LANGUAGE sql AS
             $$ SELECT lower(left($1, 1)) || right(replace(initcap($1), '_', ''), -1) $$;
         CREATE SCHEMA app; SET search_path = app; {tables};
         DO $$ DECLARE x record; BEGIN
             FOR x IN SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                      WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
                        AND a.attname <> public.camel(a.attname) LOOP
                 EXECUTE format('ALTER TABLE app.%I RENAME %I TO %I', x.relname, x.attname, public.camel(x.attname));
             END LOOP;
             FOR x IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE app.%I RENAME TO %I', x.relname, initcap(public.camel(x.relname)));
             END LOOP;
         END $$;"
    );
    let clinic = application(&tables).await;
    let rows = r#"
        SET search_path = app;
        INSERT INTO "Facilities" (name, "timeZone") VALUES ('F', 'America/New_York');
        INSERT INTO "Doctors" ("facilityId", "firstName", "lastName", "slotDurationMinutes")
            SELECT id, 'Ada', 'Stone', 15 FROM "Facilities";
        INSERT INTO "Patients" (mrn, "firstName", "lastName", phone) VALUES ('M', 'P', 'D', '+1');
        INSERT INTO "Appointments" ("facilityId", "doctorId", "patientId", "appointmentDate", "startTime")
            SELECT f.id, d.id, p.id, '2026-03-02', '09:00' FROM "Facilities" f, "Doctors" d, "Patients" p;
        SET search_path = rounds"#;
    clinic.sql(rows).await;
    clinic.run(&["migrate"]).await.expect(0);
    clinic
}

/// Drops the checks of the application's visits whose definition is like this.
async fn without_checks(clinic: &Clinic, definition: &str) {
    let drop = format!(
        r#"DO $$ DECLARE x record; BEGIN
               FOR x IN SELECT conname FROM pg_constraint
                        WHERE conrelid = 'app."Appointments"'::regclass AND contype = 'c'
                          AND pg_get_constraintdef(oid) LIKE '{definition}' LOOP
                   EXECUTE format('ALTER TABLE app."Appointments" DROP CONSTRAINT %I', x.conname);
               END LOOP;
           END $$"#
    );
    clinic.sql(&drop).await;
}

#[tokio::test]
async fn an_ordinary_application_marks_a_visit_without_any_edit() {
    let clinic = ordinary().await;
    let text = draft(&clinic, "app", &["mark-no-shows"]).await;
    assert!(!text.contains("-- ? "), "{text}");
    assert!(!text.contains("CREATE INDEX"), "they are there: {text}");
    make(&clinic, &text).await;
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 1);
    assert_eq!(clinic.count(r#"SELECT count(*) FROM app."Appointments" WHERE status = 'NO_SHOW'"#).await, 1);
    // All other jobs find what they need, too.
    make(&clinic, &draft(&clinic, "app", &[]).await).await;
    for job in ["stage-alerts", "notify-cancellations", "escalate-sla", "monitor-ticket-sla", "escalate-tickets"] {
        clinic.run(&[job, "--dry-run"]).await.expect(0);
    }
    clinic.run(&["advance-billing", "--stage", "paid", "--dry-run"]).await.expect(0);
}

#[tokio::test]
async fn statuses_that_are_spelled_otherwise_are_translated_both_ways() {
    let clinic = ordinary().await;
    // An enum cannot be compared with text, so what names a status goes with it.
    without_checks(&clinic, "%status%").await;
    let rename = r#"
        DROP INDEX app.appointments_awaited, app.appointments_awaited_by_doctor, app.appointments_cancelled,
            app.appointments_checked_in;
        CREATE TYPE app."Status" AS ENUM ('scheduled', 'confirmed', 'checked-in', 'no_show', 'completed');
        ALTER TABLE app."Appointments" ALTER status DROP DEFAULT,
            ALTER status TYPE app."Status" USING lower(status)::app."Status""#;
    clinic.sql(rename).await;
    let text = draft(&clinic, "app", &["mark-no-shows"]).await;
    assert!(!text.contains("-- ? ") && text.contains("INSTEAD OF UPDATE"), "{text}");
    make(&clinic, &text).await;
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 1);
    assert_eq!(clinic.count(r#"SELECT count(*) FROM app."Appointments" WHERE status = 'no_show'"#).await, 1);
    // A label that is not there at all is added by a person.
    let both = draft(&clinic, "app", &["mark-no-shows", "sync-practiceq"]).await;
    assert!(both.contains(r#"-- ALTER TYPE app."Status" ADD VALUE 'cancelled';"#), "{both}");
}

#[tokio::test]
async fn a_value_that_is_read_with_loss_stays_unless_a_job_writes_it() {
    let clinic = ordinary().await;
    without_checks(&clinic, "%").await;
    clinic
        .sql(
            r#"ALTER TABLE app."Appointments" ALTER "appointmentDate" TYPE text;
               UPDATE app."Appointments" SET "appointmentDate" = 'soon';
               DROP INDEX app.doctor_slots_to_block;
               ALTER TABLE app."Doctorslots" ALTER "isBlocked" DROP DEFAULT,
                   ALTER "isBlocked" TYPE int USING 5;
               INSERT INTO app."Doctorslots" ("doctorId", "slotDate", "startTime", "endTime", "isBlocked")
                   SELECT id, '2026-03-02', '09:00', '09:15', 5 FROM app."Doctors""#,
        )
        .await;
    let text = draft(&clinic, "app", &["mark-no-shows", "sync-practiceq"]).await;
    make(&clinic, &text).await;
    let values = r#"SELECT "appointmentDate" AS day, a.status, s."isBlocked" AS blocked, "isBooked" AS booked
                    FROM app."Appointments" a, app."Doctorslots" s"#;
    for (statement, expected) in [
        ("UPDATE appointments SET status = 'NO_SHOW'", r#"["soon", "NO_SHOW", 5, false]"#),
        ("UPDATE doctor_slots SET is_booked = true", r#"["soon", "NO_SHOW", 5, true]"#),
        ("UPDATE doctor_slots SET is_blocked = false", r#"["soon", "NO_SHOW", 0, true]"#),
        ("UPDATE doctor_slots SET is_blocked = true", r#"["soon", "NO_SHOW", 1, true]"#),
        ("UPDATE appointments SET appointment_date = '2026-03-03'", r#"["2026-03-03", "NO_SHOW", 1, true]"#),
    ] {
        clinic.sql(statement).await;
        let row = clinic.json(values).await;
        let row = ["day", "status", "blocked", "booked"].map(|name| row[name].clone());
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(Value::from(row.to_vec()), expected, "{statement}: {text}");
    }
}

/// What would be there if a name of the application had been carried out as SQL.
const HARM: &str = "CREATE TABLE public.harm(); --";

#[tokio::test]
async fn no_name_of_an_application_is_carried_out() {
    let clinic = application(SCHEDULER).await;
    let hostile = format!(
        r#"ALTER TABLE public.appointments DROP CONSTRAINT IF EXISTS appointments_status_check,
               ADD COLUMN "x$$; {HARM}" int NOT NULL, ADD COLUMN U&"y\000D{HARM}" int NOT NULL,
               ADD COLUMN U&"z\000A{HARM}$body1$" int NOT NULL, ALTER status DROP DEFAULT;
           ALTER TABLE public.appointments ADD CONSTRAINT statuses CHECK (status IN
               ('scheduled', 'completed', 'cancelled', 'no_show', 'gone $$; {HARM}', E'away\nx\r{HARM}'));
           ALTER TABLE public.partner_users RENAME is_active TO U&"is\000Dactive";
           ALTER TABLE public.partner_users ADD COLUMN U&"is\000Ddeleted" boolean"#
    );
    clinic.sql(&hostile).await;
    clinic.run(&["migrate"]).await.expect(0);
    let text = draft(&clinic, "public", &["sync-practiceq"]).await;
    make(&clinic, &text).await;
    make(&clinic, &text).await;
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    for said in ["gone $$;", "away", "is\\000Dactive", "x$$;", "y\\000DCREATE", "z\\000ACREATE"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let column = |letter: &str| {
        let read = format!(r#"a.U&"{letter}\"#);
        let named = text.lines().find(|line| line.contains(&read)).and_then(|line| line.split_once("\" AS "));
        named.map(|(_, name)| name.trim_end_matches(',')).expect("it has a name of its own")
    };
    let (y, z) = (column("y"), column("z"));
    let row = format!(
        r#"INSERT INTO public.providers DEFAULT VALUES;
           INSERT INTO public.service_instances (name) VALUES ('S');
           INSERT INTO rounds.appointments (doctor_id, external_id, status, created_at, updated_at, end_time,
                                            insurance_info, patient_info, service_instance_id, app_start_time,
                                            "x$$; {HARM}", {y}, {z})
           SELECT p.id, 'x', 'NO_SHOW', now(), now(), now(), '{{}}', '{{}}', s.id, now(), 1, 2, 3
           FROM public.providers p, public.service_instances s;
           UPDATE rounds.appointments SET status = 'CANCELLED'"#
    );
    clinic.sql(&row).await;
    let row = format!(
        r#"SELECT status, "x$$; {HARM}" AS x, U&"y\000D{HARM}" AS y, U&"z\000A{HARM}$body1$" AS z,
                  to_regclass('public.harm') IS NOT NULL AS harmed FROM public.appointments"#
    );
    let expected = serde_json::json!({ "status": "cancelled", "x": 1, "y": 2, "z": 3, "harmed": false });
    assert_eq!(clinic.json(&row).await, expected);
}

#[tokio::test]
async fn whoever_is_in_the_table_of_users_is_asked_for() {
    let clinic = application(HOSPITAL).await;
    let mut asked = 0;
    for job in
        ["mark-no-shows", "stage-alerts", "escalate-sla", "monitor-ticket-sla", "escalate-tickets", "sync-practiceq"]
    {
        let text = draft(&clinic, "public", &[job]).await;
        let asks = text.matches(": Every row is staff to rounds").count();
        assert_eq!(asks, text.matches("CREATE VIEW rounds.users").count(), "{job}: {text}");
        asked += asks;
    }
    assert!(asked > 1, "{asked}");
}

#[tokio::test]
async fn a_row_that_a_trigger_inserts_is_a_row_of_the_application() {
    let clinic = application(SCHEDULER).await;
    clinic.run(&["migrate"]).await.expect(0);
    make(&clinic, &draft(&clinic, "public", &["sync-practiceq"]).await).await;
    clinic
        .sql(
            "INSERT INTO public.providers DEFAULT VALUES;
             INSERT INTO public.service_instances (name) VALUES ('S');
             INSERT INTO rounds.appointments (doctor_id, external_id, status, created_at, updated_at, end_time,
                                              insurance_info, patient_info, service_instance_id, app_start_time)
             SELECT p.id, 'x', 'NO_SHOW', now(), now(), now(), '{}', '{}', s.id, now()
             FROM public.providers p, public.service_instances s",
        )
        .await;
    let row = "SELECT status, pq_appointment_id AS id FROM public.appointments";
    assert_eq!(clinic.json(row).await, serde_json::json!({ "status": "no_show", "id": "x" }));
    assert_eq!(clinic.count("SELECT count(*) FROM rounds.appointments WHERE status = 'NO_SHOW'").await, 1);
}

#[tokio::test]
async fn a_follower_gets_the_key_and_the_instant_that_the_client_would_make() {
    let clinic = application(HELPDESK).await;
    clinic.run(&["migrate"]).await.expect(0);
    make(&clinic, &draft(&clinic, "public", &["escalate-tickets"]).await).await;
    clinic
        .sql(
            r#"INSERT INTO public.users (id, email, password, "updatedAt") VALUES ('u', 'e', 'p', now());
               INSERT INTO public.tickets (id, title, description, "assignedTo", "createdBy", "updatedAt")
               VALUES ('t', 't', 'd', 'u', 'u', now());
               INSERT INTO rounds.ticket_followers (ticket_id, user_id) VALUES ('t', 'u') ON CONFLICT DO NOTHING;
               INSERT INTO rounds.ticket_followers (ticket_id, user_id) VALUES ('t', 'u') ON CONFLICT DO NOTHING"#,
        )
        .await;
    let row = r#"SELECT length(id) AS id, "updatedAt" > now() AT TIME ZONE 'UTC' - interval '1 minute' AS fresh
                 FROM public.ticket_followers"#;
    assert_eq!(clinic.json(row).await, serde_json::json!({ "id": 36, "fresh": true }));
}

#[tokio::test]
async fn what_cannot_be_drafted_is_said() {
    let clinic = Clinic::new().await;
    clinic.sql("CREATE SCHEMA app; CREATE TABLE app.visits (id int); CREATE SCHEMA bare").await;
    for (args, code, words) in [
        (&["--from", "apps"][..], "NO_SUCH_SCHEMA", &["no schema apps", "app"][..]),
        (&["--from", "bare", "--schema", "views"], "NO_TABLES", &["bare has no tables", "app"]),
        (&["--from", ""], "NO_SUCH_SCHEMA", &["names no schema of tables; there are some in app"]),
        (&["--from", "pg_catalog"], "SYSTEM_SCHEMA", &["pg_catalog is a schema of the server"]),
        (&["--from", "information_schema"], "SYSTEM_SCHEMA", &["not of an application"]),
        (&["--from", "rounds"], "SAME_SCHEMA", &["schema of rounds itself"]),
        (&["--from", "app"], "RELATION_IN_THE_WAY", &["appointments", "--schema"]),
    ] {
        let outcome: Outcome = clinic.run(&[&["adopt"], args, &["mark-no-shows"]].concat()).await;
        let message = refused(outcome, 2, code);
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    let text = clinic.run(&["adopt", "--from", "app", "prune"]).await.expect(0).stdout;
    assert_eq!(text, "-- prune: no table of an application is needed.\n");
    let other = clinic.run(&["adopt", "--from", "app", "--schema", "Other \"views\"", "mark-no-shows"]).await.expect(0);
    make(&clinic, &other.stdout).await;
}
