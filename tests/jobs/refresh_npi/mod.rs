//! `rounds refresh-npi`: which files it loads, what a row becomes, and what is left when something goes wrong.

mod again;
mod first;
mod killed;
mod merge;
mod network;
mod other_names;
mod owed;
mod properties;
mod refused;
mod rows;
mod search;
mod source;
mod watched;
mod zips;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::nppes::{Pfile, Registry};
use crate::support::program::Outcome;

/// Lets as many lines be bad as there are.
const LENIENT: [&str; 2] = ["--max-reject-share", "1"];

/// The names of the files that a run has loaded, in its order.
fn loaded(outcome: &Outcome) -> Vec<String> {
    let report = outcome.report();
    let files = report["files"].as_array().unwrap_or_else(|| panic!("no files: {outcome:?}"));
    let loaded = files.iter().filter(|file| file["skipped"].is_null());
    loaded.map(|file| file["name"].as_str().expect("a name").to_owned()).collect()
}

/// Fails unless the run failed in this way; returns what it said.
#[track_caller]
fn failed(outcome: Outcome, code: &str) -> String {
    let report = outcome.expect(1).report();
    assert_eq!(report["error_code"], code, "{report}");
    report["error_message"].as_str().expect("it says why").to_owned()
}

/// Fails unless all rows are accounted for, in the report and in the ledger.
#[track_caller]
fn balanced(outcome: &Outcome) {
    let report = outcome.report();
    let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no count: {report}"));
    let [scanned, loaded, skipped, failed] = ["scanned", "loaded", "skipped", "failed"].map(|key| count(&report[key]));
    assert_eq!(scanned, loaded + skipped + failed, "{report}");
    let reasons = ["unchanged", "older", "duplicate"].map(|key| report["skipped_by_reason"][key].as_u64().unwrap_or(0));
    assert_eq!(skipped, reasons.iter().sum::<u64>(), "{report}");
    let files = report["files"].as_array().expect("a list").iter().filter(|file| file["skipped"].is_null());
    let of = |key: &str| files.clone().map(|file| count(&file[key])).sum::<u64>();
    assert_eq!((scanned, loaded, failed), (of("rows"), of("inserted") + of("updated"), of("rejected")), "{report}");
    assert_eq!(reasons, [of("unchanged"), of("older"), of("duplicates")], "{report}");
}

impl Registry {
    /// Loads a local file, which has to end with this code; all is sound afterwards.
    async fn loads(&self, pfile: &Pfile, more: &[&str], code: i32) -> Outcome {
        let outcome = self.load(pfile, more).await.expect(code);
        balanced(&outcome);
        self.sound().await;
        outcome
    }

    /// Runs the job on what the site has, which succeeds; all is sound afterwards.
    async fn refreshes(&self, more: &[&str]) -> Outcome {
        let outcome = self.refresh(more).await.expect(0);
        balanced(&outcome);
        self.sound().await;
        outcome
    }

    /// The run fails in this way and changes nothing; returns what it said.
    async fn refuses(&self, args: &[&str], code: &str) -> String {
        let before = self.tables().await;
        let message = failed(self.refresh(args).await, code);
        assert_eq!(self.tables().await, before, "nothing was changed: {code}");
        self.sound().await;
        message
    }

    /// Waits until the server has ended the sessions of a killed run, and lets its lease be over.
    async fn lease_over(&self) {
        let sessions = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'rounds/refresh-npi'";
        let began = Instant::now();
        while self.clinic.count(sessions).await > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "the sessions of a killed run do not end");
            sleep(Duration::from_millis(10)).await;
        }
        self.clinic.expire_leases().await;
    }

    /// Fails unless the columns of a stored provider have these values.
    async fn expect(&self, npi: i64, columns: Value) {
        let stored = self.stored(npi).await;
        for (column, value) in columns.as_object().expect("columns") {
            assert_eq!(&stored[column], value, "{column}: {stored}");
        }
    }
}

/// Numbers of the report's only file.
fn counts<const N: usize>(outcome: &Outcome, keys: [&str; N]) -> [Value; N] {
    let report = outcome.report();
    assert_eq!(report["files"].as_array().map(Vec::len), Some(1), "{report}");
    keys.map(|key| report["files"][0][key].clone())
}

/// Inserted, updated, unchanged, older, duplicates, deactivated, rejected.
#[track_caller]
fn outcomes(outcome: &Outcome, counts: [u64; 7]) {
    let keys = ["inserted", "updated", "unchanged", "older", "duplicates", "deactivated", "rejected"];
    assert_eq!(self::counts(outcome, keys), counts.map(|count| json!(count)), "{keys:?}");
}

/// The registry with credentials for the site as a store of objects.
fn with_store(mut registry: Registry) -> Registry {
    for (key, value) in [
        ("AWS_ENDPOINT_URL", &*registry.site.origin()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "us-east-1"),
        ("ROUNDS_NPPES_ARCHIVE", "s3://bucket/some/prefix"),
    ] {
        registry.clinic.program = registry.clinic.program.env(key, value);
    }
    registry
}
