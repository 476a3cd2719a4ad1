//! What is kept of the PracticeQ account: the logs of syncs, the requests, the events, the notes of its clients.

use serde_json::json;

use super::PRUNE;
use crate::support::Clinic;

async fn left(clinic: &Clinic, column: &str, table: &str) -> Vec<String> {
    let query = format!("SELECT {column}::text AS t FROM {table} ORDER BY {column}::text COLLATE \"C\"");
    clinic.rows(&query).await.iter().map(|row| row.get("t")).collect()
}

#[tokio::test]
async fn logs_of_syncs_go_but_the_last_success_of_each_type() {
    let clinic = Clinic::new().await;
    let log = async |name: &str, kind: &str, status: &str, ended: &str| {
        let completed = if status == "in_progress" { "NULL".to_owned() } else { format!("t - interval '{ended}'") };
        let duration = if status == "in_progress" { "NULL" } else { "1" };
        clinic
            .sql(&format!(
                "INSERT INTO sync_logs (sync_type, status, started_at, completed_at, duration_ms, run_id, error_message)
                 SELECT '{kind}', '{status}', t - interval '{ended}', {completed}, {duration}, gen_random_uuid(), '{name}'
                 FROM (SELECT clock_timestamp() AS t) now"
            ))
            .await;
    };
    log("last of its type", "webhook", "completed", "900 days").await;
    log("before it", "webhook", "completed", "901 days").await;
    log("failed since", "webhook", "failed", "899 days").await;
    log("partly", "automated_daily", "partial_success", "401 days").await;
    log("the sweep", "automated_daily", "partial_success", "402 days").await;
    log("at the limit", "automated_daily", "failed", "399 days 23:59").await;
    log("never closed", "manual_patient", "in_progress", "900 days").await;
    clinic.sql("UPDATE practiceq_state SET sweep = (SELECT id FROM sync_logs WHERE error_message = 'the sweep')").await;
    assert_eq!(clinic.run(&[&PRUNE[..], &["--dry-run"]].concat()).await.expect(0).count("sync_logs"), 3);
    let place = tempfile::tempdir().expect("a place for files");
    let archive = ["--archive", place.path().to_str().expect("UTF-8")];
    let report = clinic.run(&[&PRUNE[..], &archive].concat()).await.expect(0).report();
    assert_eq!([&report["scanned"], &report["sync_logs"]], [3, 3]);
    assert_eq!(report["archived"].as_array().map(Vec::len), Some(1), "{report}");
    let expected = ["at the limit", "last of its type", "never closed", "the sweep"];
    assert_eq!(left(&clinic, "error_message", "sync_logs").await, expected);
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("scanned"), 0);
}

#[tokio::test]
async fn requests_and_events_go_when_nobody_counts_them() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
             SELECT 'practiceq', t - x.age, false, x.name, gen_random_uuid()
             FROM (SELECT clock_timestamp() AS t) c,
                  (VALUES ('old', interval '14 days 1 hour 1 s'), ('young', interval '14 days 59 min')) x (name, age);
             INSERT INTO practiceq_inbox (external_id, received_at, asked_at, done_at)
             SELECT x.name, t - x.age, CASE WHEN x.done THEN t END, CASE WHEN x.done THEN t END
             FROM (SELECT clock_timestamp() AS t) c,
                  (VALUES ('old', interval '14 days 1 s', true), ('waits', interval '14 days 1 s', false),
                          ('young', interval '13 days 23:59', true), ('comes', interval '13 days 23:59', false)) x (name, age, done)",
        )
        .await;
    let before =
        (left(&clinic, "purpose", "api_requests").await, left(&clinic, "external_id", "practiceq_inbox").await);
    clinic.run(&[&PRUNE[..], &["--dry-run"]].concat()).await.expect(0);
    let after = (left(&clinic, "purpose", "api_requests").await, left(&clinic, "external_id", "practiceq_inbox").await);
    assert_eq!(before, after, "a dry run changes nothing");
    // Neither counts for the brake.
    let report = clinic.run(&[&PRUNE[..], &["--max-items", "1"]].concat()).await.expect(0).report();
    assert_eq!([&report["scanned"], &report["requests"], &report["events"]], [3, 1, 2]);
    assert_eq!(left(&clinic, "purpose", "api_requests").await, ["young"]);
    assert_eq!(left(&clinic, "external_id", "practiceq_inbox").await, ["comes", "young"]);
    // What a day's limit counts stays, however little is to be kept.
    clinic.sql("UPDATE api_requests SET requested_at = clock_timestamp() - interval '24 h 30 s'").await;
    assert_eq!(clinic.run(&[&PRUNE[..], &["--keep-skipped", "1d"]].concat()).await.expect(0).count("requests"), 0);
}

#[tokio::test]
async fn a_note_that_a_client_is_nobodys_goes_when_the_client_comes_no_more() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO practiceq_clients (client_id, patient_id, linked_by, waits, created_at, seen_at)
             SELECT x.name, x.patient, '1', x.waits, t - interval '900 days', t - x.seen
             FROM (SELECT clock_timestamp() AS t) c,
                  (VALUES ('nobody', NULL, false, interval '400 days 1 s'),
                          ('comes', NULL, false, interval '399 days 23:59'),
                          ('a patient''s', '7', false, interval '900 days'),
                          ('taken back', NULL, true, interval '900 days')) x (name, patient, waits, seen)",
        )
        .await;
    assert_eq!(clinic.run(&PRUNE).await.expect(0).count("clients"), 1);
    assert_eq!(left(&clinic, "client_id", "practiceq_clients").await, ["a patient's", "comes", "taken back"]);
    let report = clinic.run(&PRUNE).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["clients"]), (&json!(0), &json!(0)));
}
