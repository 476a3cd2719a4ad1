//! A panic is a defect; it closes the run, and blocks nobody.

use serde_json::json;

use crate::support::Clinic;
use crate::support::practiceq::Sync;

/// The last run's status and code, and how many runs hold their lane.
async fn recorded(clinic: &Clinic) -> serde_json::Value {
    clinic
        .json(
            "SELECT (SELECT status FROM cron_job_runs ORDER BY started_at DESC LIMIT 1) AS status,
                    (SELECT error_code FROM cron_job_runs ORDER BY started_at DESC LIMIT 1) AS code,
                    (SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING') AS running",
        )
        .await
}

#[tokio::test]
async fn a_panic_in_a_job_closes_its_run_and_the_next_is_not_blocked() {
    let sync = Sync::new().await;
    let clinic = &sync.clinic;
    // The program reads a number of eight bytes there, and panics where the server gives one of four.
    clinic.sql("DROP VIEW v_recent_sync_activity; ALTER TABLE sync_logs ALTER id TYPE integer").await;
    let outcome = sync.run(&[]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "PANIC", "{outcome:?}");
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    assert!(message.contains("src/jobs/sync_practiceq/log.rs:"), "{message}");
    assert!(!outcome.stderr.contains("deserializ"), "the text of the panic is told: {}", outcome.stderr);
    assert_eq!(recorded(clinic).await, json!({"status": "FAILED", "code": "PANIC", "running": 0}));
    clinic.sql("ALTER TABLE sync_logs ALTER id TYPE bigint").await;
    sync.run(&[]).await.expect(0);
    assert_eq!(recorded(clinic).await, json!({"status": "COMPLETED", "code": null, "running": 0}));
}

#[tokio::test]
async fn a_panic_outside_a_job_is_told_and_leaves_no_lane_held() {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE cron_job_runs ALTER started_at TYPE text").await;
    let outcome = clinic.run(&["prune"]).await.expect(1);
    assert_eq!(
        (&outcome.report()["error_code"], &outcome.report()["run_id"]),
        (&json!("PANIC"), &json!(null)),
        "{outcome:?}"
    );
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    // A command that panics is told in the same way.
    clinic.sql("ALTER TABLE rounds_schema ALTER min_binary_schema TYPE bigint").await;
    let outcome = clinic.run(&["runs", "list"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "PANIC", "{outcome:?}");
}
