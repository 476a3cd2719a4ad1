//! What every job owes, asked of one that leaves a row of evidence for each thing that it changes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::program::{self, Outcome};
use crate::support::{Clinic, gate};

/// The tests of what every job owes, each by its name, in the module of a job whose `Desk::owed` has so many things to do.
macro_rules! owed_by_the_job {
    () => {
        $crate::jobs::owed::owed_by_the_job! {
            a_second_run_changes_nothing: 3,
            ten_at_once_do_each_once: 100,
            a_child_row_that_is_being_inserted_is_no_reason_to_skip: 3,
            one_poison_row_stops_nobody: 1000,
            a_dry_run_says_what_a_run_does_and_changes_nothing: 25,
            one_more_than_a_batch_takes_two: 11,
            a_killed_run_is_completed_by_the_next: 30,
            the_brake_holds_before_anything_is_changed: 11,
        }
    };
    ($($test:ident: $things:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                Desk::owed($things).await.$test().await;
            }
        )*
    };
}
pub(crate) use owed_by_the_job;

/// A job, and a clinic with things for it to do, ids from 1.
pub struct Owed {
    pub clinic: Clinic,
    /// Its name, and as of when.
    pub job: &'static [&'static str],
    /// Where the things are.
    pub table: &'static str,
    /// Where the evidence is, and the column of it that names the thing.
    pub evidence: (&'static str, &'static str),
    /// The key of the report that counts what was done.
    pub done: &'static str,
    /// How many things there are, and how many notices each makes.
    pub things: i64,
    pub notices: i64,
}

/// Fails unless everything that was scanned is accounted for.
#[track_caller]
pub fn balanced(outcome: &Outcome, done: &str) {
    let count = |key| outcome.count(key);
    assert_eq!(count("scanned"), count(done) + count("skipped") + count("failed"), "{outcome:?}");
}

/// All that the jobs could change: equal before and after, nothing was changed.
pub async fn state(clinic: &Clinic) -> Value {
    let tables = [
        "px_cases",
        "px_case_audits",
        "tickets",
        "ticket_history",
        "surgical_cases",
        "surgical_case_status_history",
        "notifications",
        "cron_job_runs",
        "cron_job_run_errors",
        "phi_access_log",
    ];
    let all = tables.map(|table| format!("(SELECT jsonb_agg(t ORDER BY t.*::text) FROM {table} t) AS {table}"));
    clinic.json(&format!("SELECT {}", all.join(", "))).await
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

impl Owed {
    async fn run(&self, more: &[&str]) -> Outcome {
        self.clinic.run(&[self.job, more].concat()).await
    }

    fn start(&self, more: &[&str]) -> tokio::process::Child {
        self.clinic.program.start(&[self.job, more].concat())
    }

    /// Fails unless so many things were done, each once, each with its notices.
    async fn expect(&self, things: i64) {
        let (table, column) = self.evidence;
        let query = format!(
            "SELECT count(*) AS rows, count(DISTINCT {column}) AS things,
                    (SELECT count(*) FROM notifications) AS notices FROM {table}"
        );
        let expected = json!({"rows": things, "things": things, "notices": things * self.notices});
        assert_eq!(self.clinic.json(&query).await, expected, "{}", self.job[0]);
    }

    /// Fails unless a run does so many and leaves so many, which it all says.
    async fn does(&self, done: i64, skipped: i64) -> Outcome {
        let outcome = self.run(&[]).await.expect(0);
        balanced(&outcome, self.done);
        assert_eq!((outcome.count(self.done), outcome.count("skipped")), (done as u64, skipped as u64), "{outcome:?}");
        outcome
    }

    pub async fn a_second_run_changes_nothing(&self) {
        self.does(self.things, 0).await;
        self.expect(self.things).await;
        assert_eq!(self.does(0, 0).await.count("scanned"), 0);
        self.expect(self.things).await;
    }

    pub async fn ten_at_once_do_each_once(&self) {
        let runs: Vec<_> = (0..10).map(|_| self.start(&["--batch-rows", "10"])).collect();
        let mut done = 0;
        for run in runs {
            // One that met another at work has no counts.
            done += program::finish(run).await.expect(0).report()[self.done].as_i64().unwrap_or(0);
        }
        assert_eq!(done, self.things);
        self.expect(self.things).await;
    }

    pub async fn what_the_application_holds_is_left_to_the_next_run(&self) -> Outcome {
        self.clinic.sql(&format!("BEGIN; SELECT FROM {} WHERE id = 1 FOR NO KEY UPDATE", self.table)).await;
        let outcome = self.does(self.things - 1, 1).await;
        self.clinic.sql("COMMIT").await;
        self.does(1, 0).await;
        self.expect(self.things).await;
        outcome
    }

    pub async fn a_child_row_that_is_being_inserted_is_no_reason_to_skip(&self) {
        self.clinic.sql(&format!("BEGIN; SELECT FROM {} FOR KEY SHARE", self.table)).await;
        self.does(self.things, 0).await;
    }

    pub async fn one_poison_row_stops_nobody(&self) {
        let (table, column) = self.evidence;
        fail_before(&self.clinic, "INSERT", table, &format!("NEW.{column} = 7")).await;
        for done in [self.things - 1, 0] {
            let outcome = self.run(&[]).await.expect(3);
            balanced(&outcome, self.done);
            assert_eq!((outcome.count(self.done), outcome.count("failed")), (done as u64, 1), "{outcome:?}");
            let errors = &outcome.report()["errors"];
            assert_eq!((&errors[0]["id"], &errors[0]["code"], &errors[1]), (&json!(7), &json!("22000"), &json!(null)));
            self.expect(self.things - 1).await;
        }
        self.run(&["--partial-ok"]).await.expect(0);
        let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE entity_id = '7' AND error_code = '22000'";
        assert_eq!(self.clinic.count(recorded).await, 3, "once a run");
        self.clinic.sql(&format!("DROP TRIGGER tell ON {table}")).await;
        self.does(1, 0).await;
        self.expect(self.things).await;
    }

    pub async fn a_dry_run_says_what_a_run_does_and_changes_nothing(&self) {
        let before = state(&self.clinic).await;
        let mut dry = self.run(&["--dry-run", "--batch-rows", "10"]).await.expect(0).report();
        assert_eq!(state(&self.clinic).await, before);
        let mut wet = self.run(&["--batch-rows", "10"]).await.expect(0).report();
        assert_eq!(wet[self.done], json!(self.things));
        for report in [&mut dry, &mut wet] {
            let report = report.as_object_mut().expect("an object");
            for key in ["run_id", "dry_run", "duration_ms"] {
                report.remove(key);
            }
            if let Some(metrics) = report.get_mut("metrics").and_then(Value::as_object_mut) {
                metrics.remove("duration_ms");
            }
        }
        assert_eq!(dry, wet);
    }

    /// Expects 11 things.
    pub async fn one_more_than_a_batch_takes_two(&self) {
        self.run(&["--batch-rows", "10"]).await.expect(0);
        let transactions = format!("SELECT count(DISTINCT xmin::text) FROM {}", self.evidence.0);
        assert_eq!((self.things, self.clinic.count(&transactions).await), (11, 2));
        self.expect(11).await;
    }

    /// Expects 30 things.
    pub async fn a_killed_run_is_completed_by_the_next(&self) {
        let args = ["--batch-rows", "10", "--lease", "2s"];
        gate::build_for(&self.clinic, self.evidence.0, self.evidence.1).await;
        gate::close(&self.clinic, 15).await;
        let mut killed = self.start(&args);
        gate::reached(&self.clinic).await;
        killed.kill().await.expect("it lives");
        gate::open(&self.clinic).await;
        self.expect(10).await;
        sleep(Duration::from_millis(2500)).await;
        let outcome = self.run(&args).await.expect(0);
        assert_eq!((outcome.count(self.done), self.things), (20, 30), "{outcome:?}");
        self.expect(30).await;
        let codes = "SELECT array_agg(coalesce(error_code, status) ORDER BY started_at) AS c FROM cron_job_runs";
        assert_eq!(self.clinic.json(codes).await["c"], json!(["LEASE_EXPIRED", "COMPLETED"]));
    }

    pub async fn the_brake_holds_before_anything_is_changed(&self) {
        let (fewer, enough) = ((self.things - 1).to_string(), self.things.to_string());
        self.run(&["--max-items", &fewer, "--batch-rows", "2"]).await.expect(5);
        self.expect(0).await;
        self.run(&["--max-items", &enough, "--batch-rows", "2"]).await.expect(0);
        self.expect(self.things).await;
    }
}
