//! A panic is a defect; it closes the run, and blocks nobody.

use serde_json::json;

use crate::support::Clinic;
use crate::support::nppes::{Registry, crowd, week};

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
    let registry = Registry::with(&week(0).of(&crowd(500, 5))).await;
    let clinic = &registry.clinic;
    registry.publish(&[week(1).of(&crowd(1, 5))]);
    // The program reads a date there, and panics where the server gives something else.
    let other = "ALTER TABLE npi_files ALTER period_start TYPE text, ALTER period_end TYPE text";
    clinic.sql(other).await;
    let outcome = clinic.run(&["refresh-npi", "--as-of", "2026-03-02T12:00:00Z"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "PANIC", "{outcome:?}");
    let message = outcome.report()["error_message"].as_str().expect("a text").to_owned();
    assert!(message.contains("src/jobs/refresh_npi/ledger.rs:"), "{message}");
    assert!(!outcome.stderr.contains("deserializ"), "the text of the panic is told: {}", outcome.stderr);
    eprintln!("{outcome:?} {:?}", clinic.json("SELECT jsonb_agg(r) AS r FROM cron_job_runs r").await);
    assert_eq!(recorded(clinic).await, json!({"status": "FAILED", "code": "PANIC", "running": 0}));
    clinic
        .sql(
            "ALTER TABLE npi_files ALTER period_start TYPE date USING period_start::date,
                                   ALTER period_end TYPE date USING period_end::date",
        )
        .await;
    clinic.run(&["refresh-npi", "--as-of", "2026-03-02T12:00:00Z"]).await.expect(0);
    assert_eq!(recorded(clinic).await, json!({"status": "COMPLETED", "code": null, "running": 0}));
}

#[tokio::test]
async fn a_panic_outside_a_job_is_told_and_leaves_no_lane_held() {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE cron_job_runs ALTER started_at TYPE text").await;
    let outcome = clinic.run(&["prune"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "PANIC", "{outcome:?}");
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    // A command that panics is told in the same way.
    clinic.sql("ALTER TABLE rounds_schema ALTER min_binary_schema TYPE bigint").await;
    let outcome = clinic.run(&["runs", "list"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "PANIC", "{outcome:?}");
}
