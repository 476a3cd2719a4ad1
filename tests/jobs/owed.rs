//! The tests of what every job owes, for a job that leaves a row of evidence for each thing that it changes.

use std::any::Any;

use serde_json::{Value, json};

use crate::support::program::{self, Outcome};
use crate::support::role::JobRole;
use crate::support::{Clinic, gate};

/// The tests of what every job owes, each by its name, in the module of a job whose fixture's `owed` has so many things
/// to do. Without names they are all; a job that one has no meaning for names the others, and says why.
macro_rules! owed_by_the_job {
    ($fixture:ident) => {
        $crate::jobs::owed::owed_by_the_job! {
            $fixture:
            a_second_run_changes_nothing,
            ten_at_once_do_each_once,
            what_the_application_holds_is_left_to_the_next_run,
            a_child_row_that_is_being_inserted_is_no_reason_to_skip,
            one_poison_row_stops_nobody,
            a_dry_run_says_what_a_run_does_and_changes_nothing,
            one_more_than_a_batch_takes_two,
            a_killed_run_is_completed_by_the_next,
            the_brake_holds_before_anything_is_changed,
            a_role_with_its_grants_alone_does_all,
        }
    };
    // Of a job that looks at the clinic's tables: once for each kind of keys.
    ($fixture:ident: $($test:ident,)+) => {
        $crate::jobs::owed::owed_by_the_job! { $fixture, Bigint: $($test,)+ }
        mod uuid_keys {
            use super::$fixture;
            $crate::jobs::owed::owed_by_the_job! { $fixture, Uuid: $($test,)+ }
        }
        mod text_keys_behind_views {
            use super::$fixture;
            $crate::jobs::owed::owed_by_the_job! { $fixture, TextViews: $($test,)+ }
        }
    };
    ($fixture:ident, $kind:ident: $($test:ident,)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                let things = $crate::jobs::owed::owed_by_the_job!(@$test);
                $fixture::owed($crate::support::keys::Kind::$kind, things).await.$test().await;
            }
        )+
    };
    // How many things each test wants.
    (@a_second_run_changes_nothing) => { 3 };
    (@ten_at_once_do_each_once) => { 100 };
    (@what_the_application_holds_is_left_to_the_next_run) => { 3 };
    (@a_child_row_that_is_being_inserted_is_no_reason_to_skip) => { 3 };
    (@one_poison_row_stops_nobody) => { 1000 };
    (@a_dry_run_says_what_a_run_does_and_changes_nothing) => { 25 };
    (@one_more_than_a_batch_takes_two) => { 11 };
    (@a_killed_run_is_completed_by_the_next) => { 30 };
    (@the_brake_holds_before_anything_is_changed) => { 11 };
    (@a_role_with_its_grants_alone_does_all) => { 3 };
}
pub(crate) use owed_by_the_job;

/// A job, in the words of these tests.
pub struct Subject {
    /// Its name, and as of when.
    pub job: &'static [&'static str],
    /// Where the things are; somebody may hold one by its `id`.
    pub table: &'static str,
    /// Where a run writes a row for each thing, and the number of the thing in it: what a gate or a failure is put
    /// before.
    pub written: (&'static str, &'static str),
    /// The evidence of each thing that was done: a relation, the column that names the thing, how often it does.
    pub evidence: &'static [(&'static str, &'static str, i64)],
    /// The name of such a thing in errors.
    pub entity: &'static str,
    /// Where in the report the things that were done are counted.
    pub done: &'static str,
    /// Whether a later run finds the things again, and skips them.
    pub found_again: bool,
    /// Whether a refused thing waits for its next try. If not, each run tries it.
    pub waits: bool,
    /// The number by which the n-th thing is known.
    pub number: fn(i64) -> i64,
}

/// The defaults: nothing is found again, what is refused waits, and the things are numbered from 1.
pub const SUBJECT: Subject = Subject {
    job: &[],
    table: "",
    written: ("", ""),
    evidence: &[],
    entity: "",
    done: "",
    found_again: false,
    waits: true,
    number: |thing| thing,
};

/// A clinic with so many things for a job to do.
pub struct Owed {
    pub subject: &'static Subject,
    pub clinic: Clinic,
    pub things: i64,
    /// Something that has to stay as long as the clinic does.
    #[expect(dead_code, reason = "it is held, and not read")]
    pub beside: Option<Box<dyn Any>>,
}

/// Fails unless everything that was scanned is accounted for.
#[track_caller]
pub fn balanced(outcome: &Outcome, done: &str) {
    let count = |key| outcome.count(key);
    assert_eq!(count("scanned"), count(done) + count("skipped") + count("failed"), "{outcome:?}");
}

/// Fails unless the exit code is that of a run that came to its end: 3 where items failed, or nobody could be told.
#[track_caller]
pub fn ended(outcome: Outcome) -> Outcome {
    let report = outcome.report();
    let is_partial = ["failed", "undeliverable"].iter().any(|key| report[key].as_u64().unwrap_or(0) > 0);
    outcome.expect(if is_partial { 3 } else { 0 })
}

/// All rows of all tables: equal before and after, nothing was changed. But what was asked of others was asked, and is
/// counted, in a dry run too.
pub async fn state(clinic: &Clinic) -> Value {
    let tables = "SELECT oid::regclass::text FROM pg_class
                  WHERE relkind = 'r' AND relname NOT IN ('api_requests', 'api_budgets')
                    AND relnamespace IN ('rounds'::regnamespace, to_regnamespace('app'), to_regnamespace('public'))
                  ORDER BY 1";
    let rows = |table: &str| format!("SELECT '{table}' AS t, jsonb_agg(t ORDER BY t.*::text) AS r FROM {table} t");
    let tables = clinic.rows(tables).await;
    let all: Vec<String> = tables.iter().map(|table| rows(table.get(0))).collect();
    clinic.json(&format!("SELECT jsonb_object_agg(t, r) AS state FROM ({}) a", all.join(" UNION ALL "))).await
}

/// All notices but their ids and what changes from run to run, in order of recipients.
pub async fn notices(clinic: &Clinic, run: &Value) -> String {
    let query = "SELECT to_jsonb(n) - 'id' FROM notifications n
                 ORDER BY recipient_kind, recipient_id, channel, entity_id, id";
    let notices: Vec<Value> = clinic.rows(query).await.iter().map(|row| row.get(0)).collect();
    let text = serde_json::to_string_pretty(&notices).expect("JSON");
    text.replace(run.as_str().expect("an id"), "RUN")
}

/// Everything that commands print at the noisiest level, in both formats, and all that is recorded for operators.
pub async fn said(clinic: &Clinic, commands: &[&[&str]]) -> String {
    let mut out = String::new();
    let program = clinic.program.clone().env("RUST_LOG", "trace");
    for command in commands {
        for more in [&["--output", "text"][..], &["--output", "json", "--log-format", "json"]] {
            out += &format!("{:?}\n", program.run(&[*command, &["--log-level", "debug"], more].concat()).await);
        }
    }
    let recorded = "SELECT (SELECT jsonb_agg(r) FROM cron_job_runs r) AS runs,
                           (SELECT jsonb_agg(e) FROM cron_job_run_errors e) AS errors,
                           (SELECT jsonb_agg(a) FROM px_case_audits a) AS audits,
                           (SELECT jsonb_agg(h) FROM ticket_history h) AS history,
                           (SELECT jsonb_agg(n) FROM notifications n) AS notices";
    out + &clinic.json(recorded).await.to_string()
}

/// A trigger before rows of a table that tells all it knows and fails.
pub async fn fail_before(clinic: &Clinic, event: &str, table: &str, when: &str) {
    let statement = format!(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'CANARY %', NEW USING DETAIL = 'CANARY', HINT = 'CANARY', ERRCODE = '22000';
         END $$;
         CREATE TRIGGER tell BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION tell()"
    );
    clinic.sql(&statement).await;
}

/// Without what differs from run to run, wherever it stands.
fn stripped(mut report: Value) -> Value {
    match &mut report {
        Value::Object(fields) => {
            fields.retain(|key, _| {
                !["run_id", "sync_log_id", "dry_run", "duration_ms", "seconds"].contains(&key.as_str())
            });
            fields.values_mut().for_each(|value| *value = stripped(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = stripped(value.take())),
        _ => {}
    }
    report
}

impl Owed {
    async fn run(&self, more: &[&str]) -> Outcome {
        self.clinic.run(&[self.subject.job, more].concat()).await
    }

    fn start(&self, more: &[&str]) -> tokio::process::Child {
        self.clinic.program.start(&[self.subject.job, more].concat())
    }

    /// How many things a run has done; one that met another at work has no counts.
    fn done(&self, outcome: &Outcome) -> i64 {
        outcome.report().pointer(self.subject.done).and_then(Value::as_i64).unwrap_or(0)
    }

    /// Fails unless everything that was scanned is accounted for, and so many things were done, skipped and failed.
    #[track_caller]
    fn counted(&self, outcome: &Outcome, done: i64, skipped: i64, failed: i64) {
        let [scanned, skips, fails] = ["scanned", "skipped", "failed"].map(|key| outcome.count(key) as i64);
        assert_eq!((self.done(outcome), skips, fails), (done, skipped, failed), "{outcome:?}");
        assert_eq!(scanned, done + skipped + failed, "{outcome:?}");
    }

    /// Fails unless so many things were done, each once, with all that is to be seen of each.
    async fn expect(&self, things: i64) {
        for (relation, column, rows) in self.subject.evidence {
            let query =
                format!("SELECT count(*) AS rows, count(DISTINCT {column}::text) AS things FROM {relation} evidence");
            let expected = json!({"rows": things * rows, "things": things});
            assert_eq!(self.clinic.json(&query).await, expected, "{} {relation}", self.subject.job[0]);
        }
    }

    /// Fails unless a run does so many of so many that it finds, and leaves the others, which it all says.
    async fn does(&self, done: i64, of: i64) -> Outcome {
        let again = if self.subject.found_again { self.things - of } else { 0 };
        let outcome = self.run(&[]).await.expect(0);
        self.counted(&outcome, done, of - done + again, 0);
        outcome
    }

    pub async fn a_second_run_changes_nothing(&self) {
        self.does(self.things, self.things).await;
        self.expect(self.things).await;
        let before = self.changed().await;
        self.does(0, 0).await;
        self.expect(self.things).await;
        // Where things are found again it is noted that they were.
        assert!(self.subject.found_again || self.changed().await == before);
    }

    /// All that a run could change but what tells of the run itself.
    async fn changed(&self) -> Value {
        let mut state = state(&self.clinic).await;
        let tables = state["state"].as_object_mut().expect("tables");
        tables.remove("cron_job_runs").expect("a table");
        // An application's own.
        tables.remove("public.cron_job_runs");
        state
    }

    pub async fn ten_at_once_do_each_once(&self) {
        let runs: Vec<_> = (0..10).map(|_| self.start(&["--batch-rows", "10"])).collect();
        let mut done = 0;
        for run in runs {
            done += self.done(&program::finish(run).await.expect(0));
        }
        assert_eq!(done, self.things);
        self.expect(self.things).await;
    }

    pub async fn what_the_application_holds_is_left_to_the_next_run(&self) -> Outcome {
        self.clinic.sql(&format!("BEGIN; SELECT FROM {} WHERE id = k(1) FOR NO KEY UPDATE", self.subject.table)).await;
        let outcome = self.does(self.things - 1, self.things).await;
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
        self.clinic.sql("COMMIT").await;
        self.does(1, 1).await;
        self.expect(self.things).await;
        outcome
    }

    pub async fn a_child_row_that_is_being_inserted_is_no_reason_to_skip(&self) {
        self.clinic.sql(&format!("BEGIN; SELECT FROM {} FOR KEY SHARE", self.subject.table)).await;
        self.does(self.things, self.things).await;
        self.expect(self.things).await;
    }

    pub async fn one_poison_row_stops_nobody(&self) {
        let (table, column) = self.subject.written;
        fail_before(&self.clinic, "INSERT", table, &format!("n(NEW.{column}::text) = 7")).await;
        // A refused row waits, and stops nobody, until a person says so, or its next try has come.
        for (done, of, more) in [(self.things - 1, self.things, &[][..]), (0, 1, &["--retry-refused"])] {
            let outcome = self.run(more).await.expect(3);
            let again = if self.subject.found_again { self.things - of } else { 0 };
            self.counted(&outcome, done, again, 1);
            let errors = &outcome.report()["errors"];
            let seventh = self.clinic.kind.text(7);
            let id = errors[0]["id"].to_string();
            let error = [id.trim_matches('"'), errors[0]["entity"].as_str().expect("a name")];
            assert_eq!(
                (error, &errors[0]["code"]),
                ([seventh.as_str(), self.subject.entity], &json!("22000")),
                "{errors}"
            );
            assert!(errors[1].is_null() && !format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
            self.expect(self.things - 1).await;
        }
        if self.subject.waits {
            let waiting = self.run(&[]).await.expect(0);
            let again = if self.subject.found_again { self.things - 1 } else { 0 };
            self.counted(&waiting, 0, again + 1, 0);
            assert_eq!(waiting.report()["skipped_by_reason"]["waiting"], 1, "{waiting:?}");
        }
        self.run(&["--partial-ok", "--retry-refused"]).await.expect(0);
        let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE n(entity_id) = 7 AND error_code = '22000'";
        assert_eq!(self.clinic.count(recorded).await, 3, "once a try");
        let kept = "SELECT jsonb_agg(jsonb_build_array(n(entity_id), error_code, refusals)) AS kept FROM item_refusals";
        let expected = if self.subject.waits { json!([[7, "22000", 3]]) } else { Value::Null };
        assert_eq!(self.clinic.json(kept).await["kept"], expected);
        self.clinic.sql(&format!("DROP TRIGGER tell ON {table}")).await;
        // As if the time had come.
        self.clinic.sql("UPDATE item_refusals SET next_try_at = last_refused_at").await;
        self.does(1, 1).await;
        self.expect(self.things).await;
        assert_eq!(self.clinic.count("SELECT count(*) FROM item_refusals").await, 0, "it is forgotten");
    }

    pub async fn a_dry_run_says_what_a_run_does_and_changes_nothing(&self) {
        let before = state(&self.clinic).await;
        let dry = self.run(&["--dry-run", "--batch-rows", "10"]).await.expect(0);
        assert_eq!(state(&self.clinic).await, before);
        let wet = self.run(&["--batch-rows", "10"]).await.expect(0);
        assert_eq!((dry.report()["dry_run"].clone(), self.done(&wet)), (json!(true), self.things));
        let [mut dry, mut wet] = [&dry, &wet].map(|outcome| stripped(outcome.report()));
        if !self.subject.job.contains(&"--as-of") {
            for report in [&mut dry, &mut wet] {
                report.as_object_mut().expect("a report").remove("now").expect("an instant");
            }
        }
        assert_eq!(dry, wet);
        self.expect(self.things).await;
    }

    /// Expects 11 things.
    pub async fn one_more_than_a_batch_takes_two(&self) {
        self.run(&["--batch-rows", "10"]).await.expect(0);
        let transactions = format!("SELECT count(DISTINCT xmin::text) FROM {}", self.subject.written.0);
        assert_eq!((self.things, self.clinic.count(&transactions).await), (11, 2));
        self.expect(11).await;
    }

    /// Expects 30 things.
    pub async fn a_killed_run_is_completed_by_the_next(&self) {
        let (table, column) = self.subject.written;
        gate::build_for(&self.clinic, table, column).await;
        gate::close(&self.clinic, (self.subject.number)(15)).await;
        let mut killed = self.start(&["--batch-rows", "10"]);
        gate::reached(&self.clinic).await;
        killed.kill().await.expect("it lives");
        gate::open(&self.clinic).await;
        assert_eq!(self.clinic.bury().await, 1, "one run was killed");
        self.expect(10).await;
        let outcome = self.run(&["--batch-rows", "10"]).await.expect(0);
        assert_eq!((self.done(&outcome), self.things), (20, 30), "{outcome:?}");
        self.expect(30).await;
        let last = "SELECT coalesce(error_code, status) FROM cron_job_runs ORDER BY started_at DESC LIMIT 2";
        let codes: Vec<String> = self.clinic.rows(last).await.iter().map(|row| row.get(0)).collect();
        assert_eq!(codes, ["COMPLETED", "LEASE_EXPIRED"]);
    }

    pub async fn the_brake_holds_before_anything_is_changed(&self) {
        let (fewer, enough) = ((self.things - 1).to_string(), self.things.to_string());
        let outcome = self.run(&["--max-items", &fewer, "--batch-rows", "2"]).await.expect(5);
        assert_eq!(outcome.report()["error_code"], "BRAKE", "{outcome:?}");
        self.expect(0).await;
        self.run(&["--max-items", &enough, "--batch-rows", "2"]).await.expect(0);
        self.expect(self.things).await;
    }

    pub async fn a_role_with_its_grants_alone_does_all(&self) {
        let role = JobRole::new(&self.clinic, self.subject.job[0]).await;
        let outcome = role.program.run(self.subject.job).await.expect(0);
        self.counted(&outcome, self.things, 0, 0);
        self.expect(self.things).await;
        // An admin who cannot be told of a failure is no failure of the run.
        assert!(!outcome.stderr.contains("42501"), "{}", outcome.stderr);
        role.drop(&self.clinic).await;
    }
}

/// Each job of `src/jobs` has a folder here, and asks what every job owes.
#[test]
fn every_job_is_asked() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |dir: &str| std::fs::read_dir(root.join(dir)).expect(dir).map(|entry| entry.expect("readable").path());
    let name = |path: &std::path::Path| path.file_stem().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
    let rust = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "rs");
    let jobs: Vec<String> = read("src/jobs").filter(|path| path.is_dir()).map(|path| name(&path)).collect();
    assert!(jobs.len() >= 9, "{jobs:?}");
    for job in jobs {
        let asks = |path| std::fs::read_to_string(path).expect("text").contains("owed_by_the_job!");
        assert!(read(&format!("tests/jobs/{job}")).filter(rust).any(asks), "{job} owes, and nobody asks");
        let listed = include_str!("mod.rs").lines().any(|line| line == format!("mod {job};"));
        assert!(listed, "{job}: its tests are not in tests/jobs/mod.rs, so they never run");
    }
}

/// `make test` asks once more through a pooler; it names each of these tests.
#[test]
fn every_job_is_asked_through_a_pooler() {
    let this = include_str!("owed.rs");
    let names = this.lines().filter_map(|line| line.trim().strip_prefix("(@")?.split_once(") => {"));
    let names: Vec<&str> = names.map(|(name, _)| name).collect();
    assert_eq!(names.len(), 10, "{names:?}");
    let makefile = include_str!("../../Makefile");
    let pooled = makefile.split_once("POOLED = ").and_then(|(_, rest)| rest.split_once("\n\n")).expect("a list").0;
    for name in names {
        assert!(pooled.split_whitespace().any(|word| word == name), "{name} is missing in\n{pooled}");
    }
}
