//! One live run a lane; what is written of it.

use serde_json::json;

use crate::support::{Clinic, gate, program};

#[tokio::test]
async fn a_run_is_recorded_with_its_arguments_and_report() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    let as_of = "2026-03-02T14:15:00Z";
    let args = ["mark-no-shows", "--as-of", as_of, "--source", "cron", "--scheduled-for", as_of];
    let report = clinic.run(&args).await.expect(0).report();
    let row = clinic.json("SELECT * FROM cron_job_runs").await;
    assert_eq!(row["id"], report["run_id"]);
    for (key, value) in [
        ("job_name", json!("mark-no-shows")),
        ("lane", json!("")),
        ("status", json!("COMPLETED")),
        ("source", json!("cron")),
        ("scheduled_for", json!("2026-03-02T14:15:00+00:00")),
        ("items_processed", json!(1)),
        ("items_failed", json!(0)),
        ("error_code", json!(null)),
        ("duration_ms", report["duration_ms"].clone()),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    let metadata = &row["metadata"];
    assert_eq!(metadata["arguments"]["job"], json!({ "lookback_days": 7 }));
    assert_eq!(metadata["arguments"]["run"]["batch_rows"], json!(1000));
    assert_eq!(metadata["report"]["marked"], json!(1));
    assert!(!metadata.to_string().contains("postgresql://"), "no address, and so no password: {metadata}");
    assert!(row["version"].as_str().is_some_and(|version| version.starts_with(env!("CARGO_PKG_VERSION"))));
    let deadline = clinic.count("SELECT extract(epoch FROM deadline_at - started_at)::bigint FROM cron_job_runs").await;
    assert_eq!(deadline, 4 * 60);
}

#[tokio::test]
async fn a_second_run_stands_aside_and_says_so() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    gate::build(&clinic).await;
    gate::close(&clinic, visit).await;
    let args = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    let first = clinic.program.start(&args);
    gate::reached(&clinic).await;

    let second = clinic.run(&args).await.expect(0);
    assert_eq!(second.report()["status"], "SKIPPED");
    assert_eq!(second.report()["error_code"], "ALREADY_RUNNING");
    clinic.run(&["mark-no-shows", "--fail-if-running"]).await.expect(75);
    // Another job is another lane.
    clinic.run(&["stage-alerts"]).await.expect(0);
    // A dry run takes no claim, so it is not in the way; what the other run holds, it leaves alone.
    let dry = clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(0);
    assert_eq!(dry.report()["skipped_by_reason"], json!({ "locked": 1 }));

    gate::open(&clinic).await;
    assert_eq!(program::finish(first).await.expect(0).count("marked"), 1);
    let statuses = clinic.json("SELECT array_agg(status ORDER BY started_at) AS s FROM cron_job_runs").await;
    assert_eq!(statuses["s"], json!(["COMPLETED", "SKIPPED", "SKIPPED", "COMPLETED"]));
    assert_eq!(clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn ten_runs_at_the_same_instant_change_each_row_once() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 500).await;
    let args = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "50"];
    let runs: Vec<_> = (0..10).map(|_| clinic.program.start(&args)).collect();
    let mut marked = 0;
    for run in runs {
        let outcome = program::finish(run).await.expect(0);
        marked += outcome.report()["marked"].as_u64().unwrap_or(0);
    }
    assert_eq!(marked, 500);
    assert_eq!(clinic.effects().await, (500, 500, 1000));
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 10);
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'").await, 0);
}
