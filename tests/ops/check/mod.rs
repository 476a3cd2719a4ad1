//! `rounds check`: a database that is ready, and each fault with what mends it.

mod installed;
mod lanes;
mod outlook;
mod privileges;
mod rows;
mod schema;
mod tables;
mod triggers;
mod views;

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

    /// The findings that are not ok, without that about a superuser, and those about runs: a schema that is a copy is as
    /// old as the first test, and runs are expected from then on.
    fn faults(&self) -> Vec<&Value> {
        let is_fault = |one: &&Value| one["level"] == "warning" || one["level"] == "failure";
        self.findings().filter(|one| is_fault(one) && one["topic"] != "role" && one["topic"] != "runs").collect()
    }

    /// The level and the text of the one finding of a job and a topic that begins so.
    #[track_caller]
    fn told(&self, job: &str, topic: &str, begins: &str) -> (&str, &str) {
        let words = |one: &'_ Value| one["what"].as_str().expect("a text").starts_with(begins);
        let found: Vec<&Value> =
            self.findings().filter(|one| one["job"] == job && one["topic"] == topic && words(one)).collect();
        let of_job: Vec<&Value> = self.findings().filter(|one| one["job"] == job).collect();
        assert_eq!(found.len(), 1, "{job} {topic} {begins}: {of_job:#?}");
        (found[0]["level"].as_str().expect("a level"), found[0]["what"].as_str().expect("a text"))
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
        // Who is told of a case without a department.
        clinic.user(facility, "MANAGER").await;
        let before = clinic.json("SELECT jsonb_agg(a) AS a FROM appointments a").await;
        let checked = Checked::of(&clinic, &["--as-of", "2026-03-02T14:30:00Z"]).await.ready();
        let jobs: Vec<&str> =
            checked.report["jobs"].as_array().expect("jobs").iter().filter_map(Value::as_str).collect();
        assert_eq!((jobs.len(), jobs[0]), (13, "mark-no-shows"), "{kind:?}");
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
        // What was not looked at is not said to be well.
        let skipped: Vec<&Value> = checked.findings().filter(|one| one["level"] == "skipped").collect();
        let whom = [
            ("refresh-npi", "the provider registry"),
            ("sync-practiceq", "the PracticeQ account"),
            ("deliver-notifications", "the providers of messages"),
        ];
        for (job, whom) in whom {
            let words = format!("not tried: it calls {whom}");
            let is_said = |one: &&Value| one["job"] == job && one["what"].as_str().expect("a text").contains(&words);
            assert!(skipped.iter().copied().any(|one| is_said(&one)), "{job}: {skipped:#?}");
        }
        assert_eq!(checked.report["counts"]["skipped"], skipped.len());
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
    assert!(outlooks.iter().all(|one| one["what"].as_str().expect("a text").contains("not tried: --read-only")));
    assert!(outlooks.iter().all(|one| one["level"] == "skipped"), "{outlooks:#?}");
    assert_eq!(Checked::of(&clinic, &["monitor-ticket-sla"]).await.code, 1);
    let message = refused(clinic.run(&["check", "mark-no-show"]).await, 2, "UNKNOWN_JOB");
    assert!(message.contains("mark-no-shows, stage-alerts"), "{message}");
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
