//! `rounds check`: a database that is ready, and each fault with what mends it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{everything, refused};
use crate::sql::statements;
use crate::support::keys::Kind;
use crate::support::{Clinic, Program, server};

/// What `check` found.
struct Checked {
    code: i32,
    report: Value,
}

impl Checked {
    async fn of(clinic: &Clinic, jobs: &[&str]) -> Self {
        Self::by(&clinic.program, jobs).await
    }

    async fn by(program: &Program, jobs: &[&str]) -> Self {
        let outcome = program.run(&[&["check", "--output", "json"], jobs].concat()).await;
        assert!([0, 1].contains(&outcome.code), "{outcome:?}");
        assert_eq!(outcome.stderr, "", "it logs nothing");
        let report = outcome.report();
        assert_eq!(report["ready"], outcome.code == 0, "{report:#}");
        Self { code: outcome.code, report }
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().expect("a list").iter()
    }

    /// The findings that are not ok, without that about a superuser.
    fn faults(&self) -> Vec<&Value> {
        self.findings().filter(|one| one["level"] != "ok" && one["topic"] != "role").collect()
    }

    /// The one fault of a job and a topic whose text has these words.
    #[track_caller]
    fn fault(&self, job: Option<&str>, topic: &str, level: &str, words: &[&str]) -> &Value {
        let has = |one: &&&Value| {
            let what = one["what"].as_str().expect("a text");
            one["job"] == json!(job) && one["topic"] == topic && words.iter().all(|word| what.contains(word))
        };
        let faults = self.faults();
        let found: Vec<_> = faults.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{job:?} {topic} {words:?}: {faults:#?}");
        assert_eq!(found[0]["level"], level, "{}", found[0]);
        found[0]
    }

    /// Sends all SQL that it printed.
    async fn mend(&self, clinic: &Clinic) -> usize {
        let of_sql = self.findings().filter(|one| one["remedy"]["kind"] == "sql");
        let sql: BTreeSet<&str> = of_sql.map(|one| one["remedy"]["text"].as_str().expect("a text")).collect();
        for statement in &sql {
            clinic.sql(statement).await;
        }
        sql.len()
    }

    #[track_caller]
    fn ready(self) -> Self {
        assert!(self.code == 0 && self.faults().is_empty(), "{:#?}", self.faults());
        self
    }
}

/// A role that may log in and nothing else, and the program as that role.
async fn role(clinic: &Clinic) -> (String, Program) {
    let role = format!("checker_of_{}", &*clinic.database);
    clinic.sql(&format!("CREATE ROLE {role} LOGIN")).await;
    let url = server().url(&clinic.database).replace("rounds@", &format!("{role}@"));
    (role, Program::new(&url))
}

async fn drop_role(clinic: &Clinic, role: &str) {
    clinic.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_database_that_is_ready_is_told_so_for_every_job() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", None).await;
        let doctor = clinic.doctor(facility, Some(15)).await;
        clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        clinic.sql("INSERT INTO px_cases (facility_id, due_at) VALUES (k(1), '2026-03-01T12:00:00Z')").await;
        let before = clinic.json("SELECT jsonb_agg(a) AS a FROM appointments a").await;
        let checked = Checked::of(&clinic, &["--as-of", "2026-03-02T14:30:00Z"]).await.ready();
        let jobs: Vec<&str> =
            checked.report["jobs"].as_array().expect("jobs").iter().filter_map(Value::as_str).collect();
        assert_eq!((jobs.len(), jobs[0]), (9, "mark-no-shows"), "{kind:?}");
        for job in &jobs {
            let of_job = checked.findings().filter(|one| one["job"] == *job).count();
            assert!(of_job >= 3, "{kind:?} {job}: {of_job}");
        }
        let outlook = |job: &str| {
            let own = checked.findings().find(|one| one["job"] == job && one["topic"] == "outlook").expect("one");
            own["what"].as_str().expect("a text").to_owned()
        };
        assert_eq!(outlook("mark-no-shows"), "would change 1 item now, the oldest for 15 min", "{kind:?}");
        assert_eq!(outlook("escalate-sla"), "would change 1 item now, the oldest for 26 h");
        assert_eq!(outlook("stage-alerts"), "would change nothing now");
        assert!(outlook("sync-practiceq").contains("not tried: it calls the PracticeQ account"));
        let connection = checked.findings().find(|one| one["topic"] == "connection").expect("one");
        let says_pooler = connection["what"].as_str().expect("a text").contains("pooler");
        assert_eq!(says_pooler, std::env::var_os("ROUNDS_TEST_POOLER").is_some(), "{connection}");
        assert_eq!(clinic.json("SELECT jsonb_agg(a) AS a FROM appointments a").await, before);
        assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    }
}

#[tokio::test]
async fn only_the_jobs_that_are_named_are_checked() {
    let clinic = Clinic::new().await;
    clinic.sql("DROP TABLE tickets CASCADE").await;
    let checked = Checked::of(&clinic, &["stage-alerts", "mark-no-shows", "advance-billing-paid", "--read-only"]).await;
    let checked = checked.ready();
    assert_eq!(checked.report["jobs"], json!(["mark-no-shows", "stage-alerts", "advance-billing"]));
    let outlooks: Vec<&Value> = checked.findings().filter(|one| one["topic"] == "outlook").collect();
    assert_eq!(outlooks.len(), 3, "one lane of billing: {outlooks:#?}");
    assert!(outlooks.iter().all(|one| one["what"].as_str().expect("a text").contains("not tried (--read-only)")));
    assert_eq!(Checked::of(&clinic, &["monitor-ticket-sla"]).await.code, 1);
    let message = refused(clinic.run(&["check", "mark-no-show"]).await, 2, "UNKNOWN_JOB");
    assert!(message.contains("mark-no-shows, stage-alerts"), "{message}");
}

#[tokio::test]
async fn columns_that_do_not_fit_come_with_the_sql_that_mends_them() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SCHEMA app;
             ALTER TABLE facilities SET SCHEMA app;
             CREATE VIEW facilities AS SELECT id, name, time_zone, no_show_after_minutes::text AS no_show_after_minutes,
                 waiting_alert_minutes FROM app.facilities WHERE name IS DISTINCT FROM 'x, FROM y';
             ALTER TABLE appointments SET SCHEMA app; ALTER TABLE app.appointments RENAME TO \"Visits\";
             ALTER TABLE app.\"Visits\" RENAME updated_at TO \"updatedAt\";
             CREATE VIEW appointments AS SELECT id, facility_id, doctor_id, department_id, patient_id, source,
                 external_id, appointment_date, start_time, status, checked_in_at, vitals_recorded_at, cancelled_at,
                 cancelled_by, created_at FROM app.\"Visits\";
             ALTER TABLE patients DROP phone, ALTER sms_opt_out DROP DEFAULT,
                 ALTER sms_opt_out TYPE integer USING sms_opt_out::int;
             ALTER TABLE tickets DROP CONSTRAINT tickets_status_check, ALTER status DROP DEFAULT;
             DROP INDEX tickets_open;
             CREATE TYPE app.ticket_status AS ENUM ('OPEN', 'RESOLVED');
             ALTER TABLE tickets ALTER status TYPE app.ticket_status USING status::app.ticket_status;
             ALTER TABLE team_members DROP CONSTRAINT team_members_team_id_fkey, ALTER team_id TYPE text;
             ALTER TABLE surgical_cases RENAME TO surgery;
             ALTER TABLE px_cases SET SCHEMA app; ALTER TABLE app.px_cases RENAME TO \"PxCase\";
             ALTER TABLE app.\"PxCase\" RENAME due_at TO \"dueAt\"",
        )
        .await;
    let checked = Checked::of(&clinic, &[]).await;
    let failures = [
        ("mark-no-shows", "facilities.no_show_after_minutes is text, needed is a number"),
        ("mark-no-shows", "appointments.updated_at is not there, needed is timestamptz"),
        ("sync-practiceq", "appointments.updated_at is not there"),
        ("mark-no-shows", "patients.phone is not there"),
        ("mark-no-shows", "patients.sms_opt_out is integer, needed is boolean"),
        ("escalate-tickets", "tickets.status is app.ticket_status, which lacks CLOSED"),
        ("escalate-tickets", "team_members.team_id is text and teams.id is bigint"),
        // It does not need the teams themselves.
        ("monitor-ticket-sla", "tickets.team_id is bigint and team_members.team_id is text"),
        ("escalate-sla", "rounds.px_cases: there is no such table or view"),
        ("advance-billing", "rounds.surgical_cases: there is no such table or view"),
    ];
    for (job, words) in failures {
        checked.fault(Some(job), "columns", "failure", &[words]);
    }
    assert!(!checked.faults().iter().any(|one| one["topic"] == "statements"), "no fault is told twice");
    assert_eq!(checked.mend(&clinic).await, 7);
    // Which table the cases are in, only a person knows.
    let missing = checked.fault(Some("advance-billing"), "columns", "failure", &[]);
    assert!(
        missing["remedy"]["text"].as_str().expect("a text").starts_with("CREATE VIEW rounds.surgical_cases AS SELECT ")
    );
    let again = Checked::of(&clinic, &[]).await;
    assert_eq!(again.faults().len(), 1, "{:#?}", again.faults());
    clinic.sql("CREATE VIEW surgical_cases AS SELECT * FROM surgery").await;
    Checked::of(&clinic, &[]).await.ready();
}

/// An application of its own: names are found, and what has no counterpart is left to a person.
#[tokio::test]
async fn a_view_is_drafted_and_a_null_in_it_is_not_taken_for_an_answer() {
    let clinic = Clinic::empty().await;
    clinic.run(&["migrate"]).await.expect(0);
    clinic
        .sql(
            "CREATE TABLE public.\"Department\" (id text PRIMARY KEY, \"facilityId\" text);
             CREATE TABLE public.\"Facility\" (id text PRIMARY KEY);
             CREATE TABLE public.\"Appointment\" (id text PRIMARY KEY, status text);
             INSERT INTO public.\"Appointment\" VALUES ('CANARY', 'OPEN')",
        )
        .await;
    let checked = Checked::of(&clinic, &["escalate-sla"]).await;
    let remedy = |relation: &str| {
        let what = format!("rounds.{relation}: there is no such");
        checked.fault(Some("escalate-sla"), "columns", "failure", &[&what])["remedy"].clone()
    };
    let departments = "CREATE VIEW rounds.departments AS SELECT \"facilityId\" AS facility_id, id FROM \
                       public.\"Department\";";
    assert_eq!(remedy("departments"), json!({ "kind": "sql", "text": departments }));
    let facilities = "CREATE VIEW rounds.facilities AS SELECT id FROM public.\"Facility\";";
    assert_eq!(remedy("facilities")["text"], facilities);
    let visits = "CREATE VIEW rounds.appointments AS SELECT NULL::bigint AS department_id, id FROM \
                  public.\"Appointment\"; -- decide what is in the place of NULL";
    assert_eq!(remedy("appointments"), json!({ "kind": "advice", "text": visits }));
    // A source that is NULL is no LOCAL visit: the job would find nothing for ever.
    let view = "CREATE VIEW appointments AS SELECT id, status, NULL::text AS source FROM public.\"Appointment\"";
    clinic.sql(view).await;
    let checked = Checked::of(&clinic, &["mark-no-shows"]).await;
    assert_eq!(checked.code, 1);
    clinic
        .sql(
            "DROP VIEW appointments;
             CREATE TABLE facilities (id text, time_zone text, no_show_after_minutes int);
             CREATE TABLE doctors (id text, last_name text, slot_duration_minutes int);
             CREATE TABLE patients (id text, phone text, sms_opt_out boolean);
             CREATE TABLE doctor_absences (doctor_id text, first_day date, last_day date, start_time time,
                                           end_time time, status text);
             CREATE TABLE doctor_slots (id text, doctor_id text, slot_date date, start_time time, end_time time,
                                        is_booked boolean, is_blocked boolean, appointment_id text);
             CREATE TABLE users (id text, role text, active boolean, facility_id text);
             ALTER TABLE public.\"Appointment\" ADD day date, ADD starts time, ADD facility text, ADD doctor text,
                 ADD patient text, ADD changed timestamp;
             UPDATE public.\"Appointment\" SET status = 'SCHEDULED';
             CREATE VIEW appointments AS SELECT id, status, NULL::text AS source, day AS appointment_date,
                 starts AS start_time, facility AS facility_id, doctor AS doctor_id, patient AS patient_id,
                 changed AS updated_at FROM public.\"Appointment\"",
        )
        .await;
    let checked = Checked::of(&clinic, &["mark-no-shows"]).await;
    checked.fault(Some("mark-no-shows"), "rows", "warning", &["appointments.source of 1 row", "or NULL"]);
    assert_eq!((checked.code, checked.faults().len()), (0, 1), "{:#?}", checked.faults());
}

#[tokio::test]
async fn a_statement_that_the_server_refuses_is_named() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "ALTER TABLE appointments RENAME TO visits;
             CREATE VIEW appointments AS SELECT v.* FROM visits v LEFT JOIN departments d ON d.id = v.department_id",
        )
        .await;
    // It locks visits, and writes none.
    let checked = Checked::of(&clinic, &["stage-alerts"]).await;
    let words = ["stage_alerts::RAISE", "nullable side of an outer join"];
    checked.fault(Some("stage-alerts"), "statements", "failure", &words);
    clinic
        .sql("CREATE OR REPLACE VIEW appointments AS SELECT * FROM visits; DROP INDEX appointments_external_id")
        .await;
    let checked = Checked::of(&clinic, &["stage-alerts", "sync-practiceq"]).await;
    let words = ["sync_practiceq::store::STORE", "ON CONFLICT", "42P10"];
    let conflict = checked.fault(Some("sync-practiceq"), "statements", "failure", &words);
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY ON rounds.visits (external_id) WHERE external_id IS NOT NULL;";
    assert_eq!(conflict["remedy"]["text"], sql);
    assert_eq!(checked.mend(&clinic).await, 1);
    Checked::of(&clinic, &["stage-alerts", "sync-practiceq"]).await.ready();
}

#[tokio::test]
async fn a_view_that_cannot_be_written_is_told_with_the_servers_reason() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SCHEMA app;
             ALTER TABLE appointments SET SCHEMA app;
             CREATE VIEW appointments AS SELECT DISTINCT * FROM app.appointments;
             ALTER TABLE doctor_slots SET SCHEMA app;
             CREATE VIEW doctor_slots AS SELECT id, doctor_id, slot_date, start_time, end_time,
                 is_booked AND true AS is_booked, is_blocked, appointment_id FROM app.doctor_slots;
             ALTER TABLE tickets SET SCHEMA app; CREATE VIEW tickets AS SELECT * FROM app.tickets;
             CREATE FUNCTION app.translate() RETURNS trigger LANGUAGE plpgsql SET search_path = app AS $$ BEGIN
                 UPDATE tickets SET status = NEW.status WHERE id = NEW.id; RETURN NEW;
             END $$;
             CREATE TRIGGER translate INSTEAD OF UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION app.translate();
             CREATE UNIQUE INDEX px_cases_one ON px_cases (id, status);
             CREATE TABLE app.notes (case_id bigint REFERENCES rounds.px_cases)",
        )
        .await;
    let checked = Checked::of(&clinic, &["mark-no-shows", "escalate-sla", "escalate-tickets"]).await;
    let marks = Some("mark-no-shows");
    checked.fault(marks, "writing", "failure", &["UPDATE rounds.appointments", "Views containing DISTINCT"]);
    let words = ["UPDATE rounds.doctor_slots", "column \"is_booked\"", "not columns of their base relation"];
    checked.fault(marks, "writing", "failure", &words);
    checked.fault(Some("escalate-tickets"), "writing", "warning", &["app.translate()", "return NEW also"]);
    let words = ["rounds.px_cases.status", "px_cases_one"];
    checked.fault(Some("escalate-sla"), "writing", "warning", &words);
    clinic
        .sql(
            "CREATE OR REPLACE VIEW appointments AS SELECT * FROM app.appointments;
             DROP VIEW doctor_slots; CREATE VIEW doctor_slots AS SELECT * FROM app.doctor_slots;
             CREATE OR REPLACE FUNCTION app.translate() RETURNS trigger LANGUAGE plpgsql SET search_path = app AS $$
             BEGIN
                 UPDATE tickets SET status = NEW.status WHERE id = NEW.id;
                 IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW;
             END $$;
             DROP TABLE app.notes",
        )
        .await;
    Checked::of(&clinic, &["mark-no-shows", "escalate-sla", "escalate-tickets"]).await.ready();
}

#[tokio::test]
async fn a_function_of_the_application_that_finds_no_names_is_told_with_its_alter_function() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    clinic
        .sql(&format!(
            "CREATE SCHEMA app; CREATE SCHEMA \"Other\";
             CREATE TABLE app.audit_log (visit bigint); CREATE TABLE app.watched (visit bigint);
             ALTER TABLE app.watched ENABLE ROW LEVEL SECURITY;
             GRANT USAGE ON SCHEMA app, rounds TO {role}; GRANT INSERT ON app.audit_log, app.watched TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA rounds TO {role};
             SET check_function_bodies = off;
             CREATE FUNCTION \"Other\".default_of(x bigint) RETURNS boolean LANGUAGE sql AS 'SELECT helper($1)';
             CREATE FUNCTION \"Other\".helper(x bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
             SET search_path = rounds, \"Other\";
             ALTER TABLE px_cases ADD CHECK (\"Other\".default_of(id));
             RESET search_path; SET search_path = rounds, public;
             CREATE FUNCTION app.log_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 -- FROM nothing
                 INSERT INTO audit_log VALUES (NEW.id); RETURN NEW;
             END $$;
             CREATE TRIGGER log_case BEFORE UPDATE ON px_cases FOR EACH ROW EXECUTE FUNCTION app.log_case();
             CREATE FUNCTION app.watch_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM FROM app.watched; RETURN NEW;
             END $$;
             CREATE TRIGGER watch_case BEFORE UPDATE ON px_cases FOR EACH ROW EXECUTE FUNCTION app.watch_case()"
        ))
        .await;
    let job = Some("escalate-sla");
    let checked = Checked::by(&program, &["escalate-sla"]).await;
    let path = |words: &[&str]| checked.fault(job, "triggers", "warning", words)["remedy"]["text"].clone();
    assert_eq!(path(&["app.log_case()", "audit_log"]), "ALTER FUNCTION app.log_case() SET search_path = app, pg_temp;");
    let other = "ALTER FUNCTION \"Other\".default_of(x bigint) SET search_path = \"Other\", pg_temp;";
    assert_eq!(path(&["\"Other\".default_of(x bigint)", "helper"]), other);
    assert_eq!(
        path(&["app.watch_case()", "watched", "policies"]),
        "ALTER FUNCTION app.watch_case() SET row_security = on;"
    );
    assert_eq!(checked.mend(&clinic).await, 3);
    let clinic_of = clinic.facility("America/Denver", None).await;
    clinic.sql(&format!("INSERT INTO px_cases (facility_id, due_at) VALUES ({clinic_of}, '2026-01-01')")).await;
    // The dry run fires the triggers, which work now.
    let again = Checked::by(&program, &["escalate-sla"]).await;
    assert!(!again.faults().iter().any(|one| one["topic"] == "triggers"), "{:#?}", again.faults());
    let clinic_role = Checked::of(&clinic, &["escalate-sla"]).await.ready();
    assert!(
        clinic_role.findings().any(|one| one["what"].as_str().is_some_and(|what| what.contains("would change 1 item")))
    );
    drop_role(&clinic, &role).await;
}

#[tokio::test]
async fn a_role_is_told_each_grant_that_it_lacks() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    let owner = format!("owner_of_{}", &*clinic.database);
    clinic
        .sql(&format!(
            "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC;
             CREATE ROLE {owner}; GRANT USAGE, CREATE ON SCHEMA rounds TO {owner};
             CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO {owner}; ALTER TABLE tickets SET SCHEMA app;
             SET ROLE {owner}; CREATE VIEW rounds.tickets AS SELECT * FROM app.tickets; RESET ROLE;
             ALTER TABLE doctors ENABLE ROW LEVEL SECURITY; ALTER TABLE app.tickets ENABLE ROW LEVEL SECURITY",
            clinic.database
        ))
        .await;
    let usage = Checked::by(&program, &[]).await;
    usage.fault(None, "privileges", "failure", &["no USAGE on schema rounds"]);
    assert!(!usage.faults().iter().any(|one| one["topic"] == "schema"), "it can be compared all the same");
    let marks = usage.fault(Some("mark-no-shows"), "privileges", "failure", &["SELECT, UPDATE rounds.appointments"]);
    let grant = marks["remedy"]["text"].as_str().expect("a text");
    assert!(grant.starts_with("GRANT SELECT (id, ") && grant.contains(") ON rounds.appointments TO "), "{grant}");
    let policies = usage.fault(Some("mark-no-shows"), "policies", "failure", &["rounds.doctors", &role]);
    assert_eq!(policies["remedy"]["text"], format!("ALTER ROLE {role} BYPASSRLS;"));
    // A view is read with the rights of its owner.
    usage.fault(Some("escalate-tickets"), "policies", "failure", &["app.tickets", &owner]);
    usage.fault(Some("refresh-npi"), "privileges", "failure", &["TEMPORARY ON DATABASE"]);
    usage.fault(Some("refresh-npi"), "privileges", "failure", &["CREATE ON SCHEMA rounds"]);
    usage.fault(Some("escalate-tickets"), "privileges", "failure", &[&owner, "may not UPDATE on app.tickets beneath"]);
    // With what is printed, and nothing else, every job is ready, and its dry run works.
    assert!(usage.mend(&clinic).await > 20);
    let checked = Checked::by(&program, &[]).await.ready();
    assert!(checked.findings().all(|one| one["level"] == "ok"), "no superuser: {:#}", checked.report);
    // Whoever only locks rows needs UPDATE of any column.
    clinic.sql(&format!("REVOKE UPDATE (id) ON appointments FROM {role}")).await;
    Checked::by(&program, &["stage-alerts"]).await.ready();
    clinic.sql(&format!("REVOKE UPDATE ON appointments FROM {role}")).await;
    let locks = Checked::by(&program, &["stage-alerts"]).await;
    let lock = locks.fault(Some("stage-alerts"), "privileges", "failure", &["may not UPDATE rounds.appointments"]);
    assert_eq!(lock["remedy"]["text"], format!("GRANT UPDATE (id) ON rounds.appointments TO {role};"));
    clinic.sql(&format!("REVOKE SELECT ON rounds.rounds_schema FROM {role}")).await;
    let again = Checked::by(&program, &["prune"]).await;
    again.fault(None, "privileges", "failure", &["may not SELECT rounds.rounds_schema"]);
    assert_eq!(again.faults().len(), 1, "{:#?}", again.faults());
    clinic.sql("DROP VIEW tickets").await;
    drop_role(&clinic, &role).await;
    drop_role(&clinic, &owner).await;
}

#[tokio::test]
async fn rows_that_no_job_can_judge_are_counted_and_their_keys_are_named() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let schema = if kind == Kind::TextViews { "app" } else { "rounds" };
        clinic
            .sql(&format!(
                "ALTER TABLE {schema}.facilities DROP CONSTRAINT facilities_time_zone_known;
                 ALTER TABLE {schema}.appointments DROP CONSTRAINT appointments_appointment_date_check;"
            ))
            .await;
        let facility = clinic.facility("America/Denver", None).await;
        clinic.facility("CANARY/Zone", None).await;
        let doctor = clinic.doctor(facility, Some(15)).await;
        for _ in 0..4 {
            clinic.doctor(facility, None).await;
        }
        let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        clinic.sql(&format!("UPDATE appointments SET appointment_date = 'infinity' WHERE id = k({visit})")).await;
        if kind == Kind::TextViews {
            clinic.sql(&format!("UPDATE appointments SET start_time = 'CANARY' WHERE id = k({visit})")).await;
            clinic.sql("ALTER TYPE app.tickets_priority ADD VALUE 'CANARY'").await;
        } else {
            clinic.sql("ALTER TABLE tickets DROP CONSTRAINT tickets_priority_check").await;
        }
        clinic.sql("INSERT INTO tickets (number, title, priority) VALUES ('1', 't', 'CANARY')").await;
        let checked = Checked::of(&clinic, &["--as-of", "2026-03-02T14:30:00Z"]).await;
        assert_eq!(checked.code, 0, "they are warnings: {:#?}", checked.faults());
        let marks = Some("mark-no-shows");
        let key = |n: i64| kind.text(n);
        let zone = format!("facilities.time_zone of 1 row ({})", key(2));
        checked.fault(marks, "rows", "warning", &[&zone]);
        let doctors = format!("slot_duration_minutes of 4 rows ({}, {}, {}, ...)", key(2), key(3), key(4));
        checked.fault(marks, "rows", "warning", &[&doctors]);
        checked.fault(Some("stage-alerts"), "rows", "warning", &[&doctors]);
        checked.fault(marks, "rows", "warning", &["appointments.appointment_date of 1 row", "beyond the calendar"]);
        checked.fault(Some("monitor-ticket-sla"), "rows", "warning", &["tickets.priority of 1 row", "no rule knows"]);
        if kind == Kind::TextViews {
            checked.fault(marks, "rows", "warning", &["appointments.start_time of 1 row", "no time such as"]);
        }
        assert!(!checked.report.to_string().contains("CANARY"), "{:#}", checked.report);
    }
}

#[tokio::test]
async fn a_table_that_takes_too_long_is_said_to_be_not_looked_at() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO facilities (name, time_zone) VALUES ('F', 'UTC');
             CREATE FUNCTION slowly(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN
                 PERFORM pg_catalog.pg_sleep(5); RETURN $1;
             END $$;
             ALTER TABLE sla_policies RENAME TO policies;
             INSERT INTO policies (priority, resolution_minutes) VALUES ('LOW', 60);
             CREATE VIEW sla_policies AS SELECT p.* FROM policies p WHERE rounds.slowly(p.id) > 0",
        )
        .await;
    let checked = Checked::of(&clinic, &["monitor-ticket-sla", "--read-only"]).await;
    checked.fault(Some("monitor-ticket-sla"), "rows", "warning", &["sla_policies", "not looked at", "more than 3 s"]);
}

#[tokio::test]
async fn a_scan_of_a_large_table_comes_with_the_index_on_the_table_beneath() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let patient = clinic.patient().await;
    clinic
        .sql(&format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status)
             SELECT {facility}, {doctor}, {patient}, date '2026-03-02' - n / 300, '09:00', 'COMPLETED'
             FROM generate_series(1, 60000) n;
             INSERT INTO tickets (number, title, status) SELECT n, 't', 'CLOSED' FROM generate_series(1, 40000) n;
             INSERT INTO surgical_cases (facility_id, patient_id, case_status)
             SELECT {facility}, {patient}, 20 FROM generate_series(1, 40000) n;
             INSERT INTO users (name, role) SELECT 'U', 'NURSE' FROM generate_series(1, 20000);
             ANALYZE"
        ))
        .await;
    Checked::of(&clinic, &["--read-only"]).await.ready();
    clinic
        .sql(
            "CREATE SCHEMA app;
             ALTER TABLE appointments SET SCHEMA app; ALTER TABLE app.appointments RENAME TO \"Visit\";
             ALTER TABLE app.\"Visit\" RENAME appointment_date TO \"apptDay\";
             CREATE VIEW appointments AS SELECT id, facility_id, doctor_id, department_id, patient_id, source,
                 external_id, \"apptDay\" AS appointment_date, start_time, status, checked_in_at, vitals_recorded_at,
                 cancelled_at, cancelled_by, created_at, updated_at FROM app.\"Visit\";
             DROP INDEX app.appointments_awaited, app.appointments_awaited_by_doctor, app.appointments_checked_in;
             DROP INDEX tickets_open, surgical_cases_awaited;
             ALTER TABLE users RENAME TO people;
             CREATE VIEW users AS SELECT (id::text)::bigint AS id, facility_id, name, email, role, active FROM people",
        )
        .await;
    let checked = Checked::of(&clinic, &["--read-only"]).await;
    let remedy = |job: &str, table: &str| {
        checked.fault(Some(job), "indexes", "warning", &[table, "is read whole by"])["remedy"]["text"].clone()
    };
    let awaited = "CREATE INDEX CONCURRENTLY ON app.\"Visit\" (\"apptDay\") WHERE status IN ('SCHEDULED', \
                   'CONFIRMED') AND source = 'LOCAL';";
    assert_eq!(remedy("mark-no-shows", "app.\"Visit\""), awaited);
    let checked_in = "CREATE INDEX CONCURRENTLY ON app.\"Visit\" (\"apptDay\") WHERE status = 'CHECKED_IN';";
    assert_eq!(remedy("stage-alerts", "app.\"Visit\""), checked_in);
    let open = "CREATE INDEX CONCURRENTLY ON rounds.tickets (id) WHERE status NOT IN ('RESOLVED', 'CLOSED');";
    assert_eq!(remedy("monitor-ticket-sla", "rounds.tickets"), open);
    remedy("advance-billing", "rounds.surgical_cases");
    let key = remedy("escalate-tickets", "rounds.people");
    assert!(key.as_str().expect("a text").contains("the key of users is an expression"), "{key}");
    assert!(checked.mend(&clinic).await >= 4);
    clinic.sql("DROP VIEW users; ALTER TABLE people RENAME TO users; ANALYZE").await;
    // An index may be needed beside another.
    Checked::of(&clinic, &["--read-only"]).await.mend(&clinic).await;
    Checked::of(&clinic, &["--read-only"]).await.ready();
}

/// Breaks our tables in every way that is compared.
const BREAK: &str = "
    ALTER TABLE cron_job_runs ALTER lane DROP NOT NULL, ALTER lane DROP DEFAULT;
    ALTER TABLE no_show_logs DROP COLUMN notes, ALTER timeout_minutes TYPE bigint;
    DROP INDEX sync_logs_started; DROP INDEX search_surgeon_state;
    ALTER TABLE sync_logs DISABLE TRIGGER sync_logs_touch;
    ALTER TABLE cron_job_run_errors DISABLE TRIGGER ALL;
    ALTER TABLE stage_alerts DROP CONSTRAINT stage_alerts_appointment_id_alert_type_key;
    ALTER TABLE notifications DROP CONSTRAINT notifications_priority_check;
    ALTER TABLE notifications ADD CONSTRAINT notifications_priority_check
        CHECK (priority IN ('NORMAL', 'HIGH')) NOT VALID;
    DROP TABLE px_case_audits;
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_logs_organization'::regclass;
    -- An operator's own are no fault.
    CREATE TABLE own (id int); CREATE INDEX own_index ON no_show_logs (created_by);
    ALTER TABLE no_show_logs ADD own_column int";

#[tokio::test]
async fn our_tables_are_compared_with_those_that_migrate_makes() {
    let clinic = Clinic::new().await;
    clinic.run(&["migrate", "--check"]).await.expect(0);
    clinic.sql(BREAK).await;
    let outcome = clinic.run(&["migrate", "--check"]).await.expect(1);
    let broken = outcome.report()["broken"].as_array().expect("a list").clone();
    let words = [
        "column lane of cron_job_runs is text, and should be text NOT NULL DEFAULT",
        "column notes of no_show_logs is not there",
        "column timeout_minutes of no_show_logs is bigint, and should be integer",
        "index sync_logs_started of sync_logs is not there",
        "index search_surgeon_state of search_surgeon is not there",
        "trigger sync_logs_touch of sync_logs is disabled",
        "of cron_job_run_errors is disabled",
        "constraint stage_alerts_appointment_id_alert_type_key of stage_alerts is not there",
        "constraint notifications_priority_check of notifications is not validated",
        "relation px_case_audits is not there",
        "index sync_logs_organization of sync_logs is invalid",
    ];
    assert_eq!(broken.len(), words.len(), "{broken:#?}");
    for word in words {
        assert!(broken.iter().any(|one| one["what"].as_str().expect("a text").contains(word)), "{word}: {broken:#?}");
    }
    let text = clinic.run(&["migrate", "--check", "--output", "text"]).await.expect(1).stdout;
    assert!(
        text.starts_with("Broken:\n  trigger of a foreign key of cron_job_run_errors is disabled\n    ALTER"),
        "{text}"
    );
    let checked = Checked::of(&clinic, &["prune"]).await;
    for word in words {
        checked.fault(None, "schema", "failure", &[word]);
    }
    assert_eq!(checked.faults().len(), words.len(), "{:#?}", checked.faults());
    checked.mend(&clinic).await;
    // What is made anew lacks its indexes.
    Checked::of(&clinic, &["prune"]).await.mend(&clinic).await;
    Checked::of(&clinic, &["prune"]).await.ready();
    clinic.run(&["migrate", "--check"]).await.expect(0);
}

#[tokio::test]
async fn a_database_that_is_not_ours_or_of_another_version_is_told_first() {
    let clinic = Clinic::empty().await;
    let checked = Checked::of(&clinic, &[]).await;
    let fault = checked.fault(None, "schema", "failure", &["NOT_OUR_DATABASE"]);
    assert_eq!(fault["remedy"], json!({ "kind": "command", "text": "rounds migrate" }));
    clinic.run(&["migrate"]).await.expect(0);
    // Without the clinic's tables these run, but nobody is told of their failures.
    let alone = Checked::of(&clinic, &["prune", "refresh-npi"]).await;
    alone.fault(None, "statements", "warning", &["nobody can be told", "relation \"users\" does not exist"]);
    assert_eq!((alone.code, alone.faults().len()), (0, 1), "{:#?}", alone.faults());
    clinic.sql("CREATE TABLE users (id int, role text, active boolean, facility_id int)").await;
    clinic.sql("DELETE FROM rounds_migrations m WHERE version = (SELECT max(version) FROM rounds_migrations)").await;
    Checked::of(&clinic, &["prune"]).await.fault(None, "schema", "failure", &["SCHEMA_BEHIND"]);
    clinic.sql("INSERT INTO rounds_migrations VALUES (99, 'later', 'x', 'x')").await;
    let newer = Checked::of(&clinic, &["prune"]).await.ready();
    assert!(
        newer.findings().any(|one| one["what"].as_str().is_some_and(|what| what.contains("newer than this binary")))
    );
}

#[tokio::test]
async fn a_dry_run_that_fails_or_would_meet_the_brake_is_told() {
    let clinic = Clinic::with_visits(3).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'CANARY %', NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 2)
                 EXECUTE FUNCTION refuse()",
        )
        .await;
    let at = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    let checked = Checked::of(&clinic, &at).await;
    let words = ["would change 2 items now, the oldest for 0 s; 1 could not be judged or changed"];
    let fault = checked.fault(Some("mark-no-shows"), "outlook", "warning", &words);
    assert_eq!(fault["remedy"]["text"], "rounds mark-no-shows --dry-run");
    let braked = Checked::by(&clinic.program.clone().env("ROUNDS_MAX_ITEMS", "2"), &at).await;
    braked.fault(Some("mark-no-shows"), "outlook", "warning", &["the brake would stop it", "more than 2"]);
    let lost = "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM 1 FROM nowhere; RETURN NEW; END';
                CREATE TRIGGER a_lost BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION lost()";
    clinic.sql(lost).await;
    let lost = Checked::of(&clinic, &at).await;
    lost.fault(Some("mark-no-shows"), "outlook", "failure", &["a dry run failed", "42P01"]);
}

#[tokio::test]
async fn the_text_has_a_line_for_each_finding_and_no_value_of_a_row() {
    let clinic = Clinic::with_visits(3).await;
    super::plant(&clinic).await;
    clinic.sql("UPDATE appointments SET notes = 'CANARY-N'; DROP TABLE px_cases CASCADE").await;
    let said = everything(&clinic, &[&["check"], &["check", "--as-of", "2026-03-02T09:15:00-05:00"]]).await;
    assert!(said.contains("NOT ready") && !said.contains("CANARY"), "{said}");
    let text = clinic.run(&["check", "escalate-sla", "mark-no-shows", "--output", "text"]).await.expect(1).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let expected = "\nescalate-sla\n  FAILURE  columns     rounds.px_cases: there is no such table or view\n";
    assert!(text.contains("All jobs\n  ok       connection  ") && text.contains(expected), "{text}");
    assert!(text.contains("\n  ok       outlook     would change nothing now\n"), "{text}");
    assert!(text.ends_with("NOT ready: 1 failure, 1 warning.\n"), "{text}");
}

/// What the command sends is only read: no statement of it changes anything, but for those that are planned.
#[tokio::test]
async fn it_sends_nothing_that_writes() {
    let clinic = Clinic::new().await;
    let own = statements(&clinic).await.into_iter().filter(|one| one.name.contains("::ops::check::"));
    let own: Vec<_> = own.collect();
    assert!(own.len() > 15, "{}", own.len());
    for statement in own.iter().filter(|one| !one.name.ends_with("::writing::TRY")) {
        clinic.sql("BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, rounds, pg_temp").await;
        let types =
            if statement.types.is_empty() { String::new() } else { format!("({})", statement.types.join(", ")) };
        let nulls = vec!["NULL"; statement.types.len()].join(", ");
        let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        clinic
            .sql(&format!("PREPARE p {types} AS {}; EXECUTE p {arguments}; DEALLOCATE p; ROLLBACK", statement.text))
            .await;
    }
}
