//! The clinic's columns and indexes, each fault with its SQL.

use serde_json::json;

use super::Checked;
use crate::support::Clinic;

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
                 cancelled_by, notes, created_at FROM app.\"Visits\";
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
        ("monitor-ticket-sla", "team_members.team_id is text and teams.id is bigint"),
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
        missing["remedy"]["text"].as_str().expect("a text").starts_with("make the view rounds.surgical_cases over ")
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
             CREATE TABLE public.\"Appointment\" (id text PRIMARY KEY, status text, note text);
             INSERT INTO public.\"Appointment\" VALUES ('a1', 'OPEN', 'CANARY')",
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
                  public.\"Appointment\";\n-- decide what is in the place of NULL";
    assert_eq!(remedy("appointments"), json!({ "kind": "advice", "text": visits }));
    assert!(!checked.report.to_string().contains("CANARY"), "{:#}", checked.report);
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
             CREATE TABLE doctor_absences (id text, doctor_id text, first_day date, last_day date, start_time time,
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
    assert!(!checked.report.to_string().contains("CANARY"), "{:#}", checked.report);
}

/// What would be lost with a view is repeated in the SQL, or said; of two tables with a name a person takes one.
#[tokio::test]
async fn a_remedy_takes_nothing_away_that_was_there() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SCHEMA app; CREATE SCHEMA auth;
             ALTER TABLE facilities SET SCHEMA app; ALTER TABLE doctors SET SCHEMA app;
             ALTER TABLE patients SET SCHEMA app; ALTER TABLE users SET SCHEMA auth;
             ALTER TABLE appointments SET SCHEMA app; ALTER TABLE app.appointments RENAME updated_at TO \"end\";
             ALTER TABLE app.appointments RENAME notes TO \"order\";
             CREATE VIEW facilities WITH (security_barrier = true) AS SELECT id, name AS \"user\", time_zone,
                 no_show_after_minutes::text AS no_show_after_minutes FROM app.facilities;
             CREATE VIEW doctors AS SELECT id, last_name, slot_duration_minutes::text AS slot_duration_minutes,
                 facility_id FROM app.doctors;
             ALTER VIEW doctors ALTER last_name SET DEFAULT 'x'; GRANT SELECT (id) ON doctors TO rounds_dashboard;
             CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER nothing INSTEAD OF UPDATE ON doctors FOR EACH ROW EXECUTE FUNCTION nothing();
             CREATE VIEW patients WITH (security_invoker = true) AS SELECT id, phone FROM app.patients;
             CREATE VIEW appointments AS SELECT id, facility_id, doctor_id, department_id, patient_id, source,
                 external_id, appointment_date, start_time, status, checked_in_at, vitals_recorded_at,
                 cancelled_at, cancelled_by, created_at, \"order\" FROM app.appointments;
             CREATE TABLE app.\"DoctorAbsence\" (id int); CREATE TABLE auth.doctor_absences (id int);
             DROP TABLE doctor_absences",
        )
        .await;
    let job = Some("mark-no-shows");
    let checked = Checked::of(&clinic, &["mark-no-shows", "monitor-ticket-sla"]).await;
    let remedy = |job, what: &str| {
        let remedy = &checked.fault(job, "columns", "failure", &[what])["remedy"];
        (remedy["kind"].clone(), remedy["text"].as_str().expect("a text").to_owned())
    };
    let (kind, text) = remedy(job, "facilities.no_show_after_minutes");
    assert!(kind == "sql" && text.contains("CREATE VIEW rounds.facilities WITH (security_barrier=true) AS "), "{text}");
    let (kind, text) = remedy(job, "doctors.slot_duration_minutes");
    assert!(
        kind == "advice" && text.ends_with("its triggers, defaults, grants again, which are lost with it"),
        "{text}"
    );
    let (kind, text) = remedy(job, "patients.sms_opt_out");
    let options = "CREATE OR REPLACE VIEW rounds.patients WITH (security_invoker=true) AS ";
    assert!(kind == "sql" && text.starts_with(options), "{text}");
    for (job, relation, known) in [
        (job, "doctor_absences", "app.\"DoctorAbsence\" or auth.doctor_absences"),
        (Some("monitor-ticket-sla"), "users", "auth.users"),
    ] {
        let (kind, text) = remedy(job, &format!("rounds.{relation}: there is no such"));
        let command = format!("`rounds adopt --from SCHEMA {}`", job.expect("one"));
        assert!(kind == "advice" && text.contains(known) && text.contains(&command), "{text}");
    }
    // A keyword beneath is quoted.
    let (_, text) = remedy(job, "appointments.updated_at");
    assert!(text.contains("\"order\", NULL::timestamptz AS updated_at"), "{text}");
    // So is the name of a column that is drafted or repeated.
    let end = "DROP VIEW appointments; ALTER TABLE app.appointments RENAME \"end\" TO \"updatedAt\";
               ALTER TABLE app.appointments RENAME status TO \"user\"; CREATE VIEW appointments AS SELECT id,
               facility_id, doctor_id, patient_id, source, appointment_date, start_time, \"user\" AS status
               FROM app.appointments";
    clinic.sql(end).await;
    let checked = Checked::of(&clinic, &["mark-no-shows"]).await;
    checked.mend(&clinic).await;
    let again = Checked::of(&clinic, &["mark-no-shows"]).await;
    let left: Vec<&str> = again
        .faults()
        .iter()
        .filter(|one| one["level"] == "failure")
        .map(|one| {
            assert_eq!(one["remedy"]["kind"], "advice", "{one}");
            one["what"].as_str().expect("a text")
        })
        .collect();
    let absences = "rounds.doctor_absences: there is no such table or view";
    assert_eq!(left, [absences, "doctors.slot_duration_minutes is text, needed is a number"]);
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
                 cancelled_at, cancelled_by, notes, created_at, updated_at FROM app.\"Visit\";
             DROP INDEX app.appointments_awaited, app.appointments_awaited_by_doctor, app.appointments_cancelled,
                 app.appointments_checked_in, app.appointments_days;
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

/// A plan that cannot be had is not a plan without faults.
#[tokio::test]
async fn a_statement_that_cannot_be_planned_with_values_is_named() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "ALTER TABLE team_members DROP CONSTRAINT team_members_team_id_fkey;
             ALTER TABLE tickets DROP CONSTRAINT tickets_team_id_fkey;
             ALTER TABLE teams ALTER id DROP IDENTITY; ALTER TABLE teams ALTER id TYPE date USING NULL;
             ALTER TABLE team_members ALTER team_id TYPE date USING NULL;
             ALTER TABLE tickets ALTER team_id TYPE date USING NULL",
        )
        .await;
    let checked = Checked::of(&clinic, &["escalate-tickets", "--read-only"]).await;
    let words = ["not looked at, since they cannot be planned with values of a run: 1 (FIRE)"];
    checked.fault(Some("escalate-tickets"), "indexes", "warning", &words);
}

#[tokio::test]
async fn partitions_that_are_large_together_are_told() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let patient = clinic.patient().await;
    clinic
        .sql(&format!(
            "CREATE SCHEMA app; ALTER TABLE appointments SET SCHEMA app;
             CREATE VIEW appointments AS SELECT id, facility_id, doctor_id, department_id, patient_id, source,
                 external_id, (appointment_date::text)::date AS appointment_date, start_time, status, checked_in_at,
                 vitals_recorded_at, cancelled_at, cancelled_by, created_at, updated_at FROM app.appointments;
             ALTER TABLE tickets RENAME TO whole; DROP INDEX tickets_open;
             CREATE TABLE app.tickets (LIKE whole INCLUDING DEFAULTS) PARTITION BY RANGE (id);
             CREATE TABLE app.t1 PARTITION OF app.tickets FOR VALUES FROM (0) TO (9000);
             CREATE TABLE app.t2 PARTITION OF app.tickets DEFAULT;
             CREATE VIEW tickets AS SELECT * FROM app.tickets;
             INSERT INTO app.tickets (id, number, title, status) SELECT n, n, 't', 'CLOSED'
             FROM generate_series(1, 18000) n;
             INSERT INTO app.appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status)
             SELECT {facility}, {doctor}, {patient}, date '2026-03-02' - n / 300, '09:00', 'COMPLETED' FROM generate_series(1, 60000) n;
             ANALYZE"
        ))
        .await;
    let jobs = ["mark-no-shows", "monitor-ticket-sla", "--read-only"];
    let checked = Checked::of(&clinic, &jobs).await;
    let remedy = |job: &str, table: &str| {
        checked.fault(Some(job), "indexes", "warning", &[table, "is read whole by"])["remedy"]["text"].clone()
    };
    let tickets = remedy("monitor-ticket-sla", "app.tickets, about 18000 rows");
    assert!(tickets.as_str().expect("a text").starts_with("CREATE INDEX ON app.tickets (id) WHERE "), "{tickets}");
}

/// An index for speed is no rule; one that was left unfinished goes first.
#[tokio::test]
async fn an_index_left_unfinished_goes_first() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO tickets (number, title, status) SELECT n, 't', 'CLOSED' FROM generate_series(1, 40000) n;
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tickets_open'::regclass; ANALYZE tickets",
        )
        .await;
    let checked = Checked::of(&clinic, &["monitor-ticket-sla", "--read-only"]).await;
    let scan = checked.fault(Some("monitor-ticket-sla"), "indexes", "warning", &["is read whole by"]);
    let text = scan["remedy"]["text"].as_str().expect("a text");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("DROP INDEX CONCURRENTLY ") && lines[0].ends_with("tickets_open;"), "{text}");
    assert!(lines[1].starts_with("CREATE INDEX CONCURRENTLY ON rounds.tickets (id) WHERE "), "{text}");
}
