//! `--metrics textfile`: a file for each lane, which says how it is, and changes nothing of the run.

use std::collections::BTreeMap;
use std::fs::{self, read_to_string};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::exposition::{read, value};
use crate::support::{Clinic, Program};

const RUN: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
const FILE: &str = "rounds_mark-no-shows.prom";

/// A directory, and the options that name it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a place"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn with<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let place = self.path().to_str().expect("UTF-8");
        [args, &["--metrics", "textfile", "--metrics-dir", place]].concat()
    }

    fn files(&self) -> BTreeMap<String, String> {
        let name = |path: &PathBuf| path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        let entries = self.path().read_dir().expect("is there").map(|entry| entry.expect("can be read").path());
        entries.map(|path| (name(&path), read_to_string(&path).expect("UTF-8"))).collect()
    }

    fn value(&self, file: &str, metric: &str) -> Option<f64> {
        value(&self.files()[file], metric)
    }
}

#[tokio::test]
async fn a_run_says_how_it_was_and_a_failure_keeps_the_last_success() {
    let (clinic, place) = (Clinic::with_visits(3).await, Place::new());
    let report = clinic.run(&place.with(&RUN)).await.expect(0).report();
    let files = place.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), [FILE]);
    let metrics = read(&files[FILE]);
    for metric in metrics.values() {
        assert_eq!(json!(metric.samples[0].0), json!({ "job": "mark-no-shows", "lane": "" }));
    }
    let of = |name: &str| value(&files[FILE], name).unwrap_or_else(|| panic!("{name}: {files:?}"));
    assert_eq!([of("rounds_healthy"), of("rounds_items_processed"), of("rounds_items_failed")], [1.0, 3.0, 0.0]);
    let milliseconds = report["duration_ms"].as_f64().expect("a number");
    assert!((of("rounds_run_duration_seconds") * 1000.0 - milliseconds).abs() < 0.5, "{milliseconds}");
    let succeeded = of("rounds_last_success_timestamp_seconds");
    assert!(succeeded > 1_700_000_000.0);
    assert_eq!(metrics.len(), 5, "it sends no messages: {metrics:?}");
    // A failure, of another clinic since all is done here.
    let clinic = Clinic::with_visits(3).await;
    clinic.run(&place.with(&[&RUN[..], &["--max-items", "1"]].concat())).await.expect(5);
    let after = |name| place.value(FILE, name);
    assert_eq!(after("rounds_healthy"), Some(0.0));
    assert_eq!(after("rounds_items_processed"), Some(0.0));
    assert_eq!(after("rounds_last_success_timestamp_seconds"), Some(succeeded));
    // Neither a skipped run nor a dry one says anything.
    let failure = place.files();
    clinic.run(&place.with(&[&RUN[..], &["--unless-succeeded-within", "1h"]].concat())).await.expect(0);
    clinic.run(&place.with(&[&RUN[..], &["--dry-run"]].concat())).await.expect(0);
    assert_eq!(place.files(), failure);
}

#[tokio::test]
async fn health_writes_the_file_of_each_lane_and_says_so_when_it_cannot_ask() {
    let (clinic, place) = (Clinic::with_visits(3).await, Place::new());
    clinic.run(&RUN).await.expect(0);
    clinic.run(&place.with(&["health"])).await;
    let files = place.files();
    for file in [FILE, "rounds_advance-billing_paid.prom", "rounds_sync-practiceq_full.prom", "rounds_prune.prom"] {
        assert!(files.contains_key(file), "{file}: {:?}", files.keys());
    }
    let mut help = BTreeMap::new();
    for (file, text) in &files {
        for (name, metric) in read(text) {
            assert_eq!(help.entry(name.clone()).or_insert(metric.help.clone()), &metric.help, "{file}: {name}");
        }
    }
    assert_eq!(
        help.keys().collect::<Vec<_>>(),
        [
            "rounds_healthy",
            "rounds_items_failed",
            "rounds_items_processed",
            "rounds_last_success_timestamp_seconds",
            "rounds_notifications_pending_oldest_seconds",
            "rounds_run_duration_seconds",
        ]
    );
    let of = |name| place.value(FILE, name);
    assert_eq!((of("rounds_healthy"), of("rounds_items_processed")), (Some(1.0), Some(3.0)), "of another process");
    let succeeded = of("rounds_last_success_timestamp_seconds");
    assert!(succeeded.is_some_and(|at| at > 1_700_000_000.0), "{succeeded:?}");
    let pending = "rounds_notifications_pending_oldest_seconds";
    // The patients' messages, of that day in March.
    let waiting = place.value("rounds_deliver-notifications_sms.prom", pending);
    assert!(waiting.is_some_and(|seconds| seconds > 1_000_000.0), "{waiting:?}");
    let nowhere = Program::new("postgresql://rounds@localhost:1/none?connect_timeout=1");
    nowhere.run(&place.with(&["health"])).await.expect(1);
    assert_eq!((of("rounds_healthy"), of("rounds_items_processed")), (Some(0.0), Some(3.0)));
    assert_eq!(of("rounds_last_success_timestamp_seconds"), succeeded);
    assert_eq!(place.value("rounds_deliver-notifications_sms.prom", pending), None, "nobody knows");
}

#[tokio::test]
async fn what_waits_to_be_sent_is_told_by_the_lane_that_sends_it() {
    let (clinic, place) = (Clinic::new().await, Place::new());
    let endpoints = tempfile::NamedTempFile::new().expect("a file");
    let endpoints = endpoints.path().to_str().expect("UTF-8");
    let args = ["deliver-notifications", "--channel", "webhook", "--webhook-endpoints", endpoints];
    clinic.run(&place.with(&args)).await.expect(0);
    let waiting =
        || place.value("rounds_deliver-notifications_webhook.prom", "rounds_notifications_pending_oldest_seconds");
    assert_eq!(waiting(), Some(0.0));
    clinic
        .sql(
            "INSERT INTO notifications (recipient_kind, address, channel, type, priority, title, body, entity, entity_id,
                                        dedupe_key, status, created_at)
             VALUES ('ADDRESS', 'pager', 'WEBHOOK', 'JOB_FAILING', 'HIGH', 't', 'b', 'run', '1', 'k', 'PENDING',
                     clock_timestamp() - interval '90 s')",
        )
        .await;
    clinic.run(&place.with(&["health", "deliver-notifications"])).await;
    assert!(waiting().is_some_and(|seconds| (90.0..900.0).contains(&seconds)), "{:?}", waiting());
}

#[tokio::test]
async fn files_that_cannot_be_written_change_nothing_of_the_run() {
    let place = Place::new();
    let path = place.path().join(FILE);
    // A file that nobody writes to hangs who reads it; a directory is no file.
    let fifo = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("a path");
    // SAFETY: mkfifo reads the text and keeps nothing.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
    for spoil in
        [|_: &Path| (), |path: &Path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("can be made")]
    {
        spoil(&path);
        let clinic = Clinic::with_visits(3).await;
        let began = Instant::now();
        let outcome = clinic.run(&place.with(&RUN)).await.expect(0);
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert!(outcome.stderr.contains("NOT_TOLD"), "{outcome:?}");
        assert_eq!(outcome.count("marked"), 3);
        assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'COMPLETED'").await, 1);
    }
}

#[tokio::test]
async fn kinds_are_told_together_and_a_directory_is_enough() {
    let (clinic, place) = (Clinic::with_visits(3).await, Place::new());
    clinic.run(&[&RUN[..], &["--metrics", "textfile"]].concat()).await.expect(2);
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    let both =
        [&RUN[..], &["--metrics", "emf,textfile", "--metrics-dir", place.path().to_str().expect("UTF-8")]].concat();
    let outcome = clinic.run(&both).await.expect(0);
    assert!(outcome.stdout.contains("\"NotificationsStaged\":6"), "{outcome:?}");
    assert_eq!(place.files().len(), 1);
    // The units say `health --metrics emf`, which a variable cannot change.
    let named = clinic.program.clone().env("ROUNDS_METRICS_DIR", place.path().to_str().expect("UTF-8"));
    let outcome = named.run(&["health", "prune", "--metrics", "emf"]).await;
    assert!(outcome.stdout.contains("_aws") && place.files().contains_key("rounds_prune.prom"), "{outcome:?}");
}
