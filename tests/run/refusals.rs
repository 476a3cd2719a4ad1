//! Items that the database refuses: they wait, stop nobody, flood nothing, and are seen.

use serde_json::{Value, json};

use crate::support::Clinic;
use crate::support::program::Outcome;

/// As of when all visits are due.
const ARGS: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// A clinic with so many visits to mark, whose database refuses those with a condition on the number `id`.
async fn refusing(visits: i64, condition: &str) -> Clinic {
    let clinic = Clinic::with_visits(visits).await;
    let condition = condition.replace("id", "appointment_id::bigint");
    clinic.sql(&format!("ALTER TABLE no_show_logs ADD CONSTRAINT refuses CHECK (NOT ({condition}))")).await;
    clinic
}

async fn mend(clinic: &Clinic) {
    clinic.sql("ALTER TABLE no_show_logs DROP CONSTRAINT refuses").await;
}

/// As if the next try of all had come.
async fn wait(clinic: &Clinic) {
    clinic.sql("UPDATE item_refusals SET next_try_at = last_refused_at - interval '1 s'").await;
}

async fn run(clinic: &Clinic, more: &[&str]) -> Outcome {
    clinic.run(&[&ARGS[..], more].concat()).await
}

/// Marked, failed and waiting.
fn counts(outcome: &Outcome) -> [u64; 3] {
    let waiting = outcome.report()["skipped_by_reason"]["waiting"].as_u64().unwrap_or(0);
    let [scanned, marked, skipped, failed] = ["scanned", "marked", "skipped", "failed"].map(|key| outcome.count(key));
    assert_eq!((scanned, skipped), (marked + failed + waiting, waiting), "{outcome:?}");
    [marked, failed, waiting]
}

async fn errors(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM cron_job_run_errors").await
}

async fn kept(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM item_refusals").await
}

/// How the last run ended.
async fn last(clinic: &Clinic) -> Value {
    clinic.json("SELECT status, error_code FROM cron_job_runs ORDER BY started_at DESC LIMIT 1").await
}

#[tokio::test]
async fn three_thousand_refused_rows_do_not_starve_the_good_ones_behind_them() {
    let mut clinic = refusing(3100, "id <= 3000").await;
    // What waits is far more than the lane did so far; somebody has looked.
    clinic.program = clinic.program.clone().env("ROUNDS_MAX_ITEMS", "100000");
    let first = run(&clinic, &[]).await.expect(3);
    assert_eq!(counts(&first), [100, 500, 2500], "the good ones are done in the first run");
    assert_eq!((errors(&clinic).await, kept(&clinic).await), (100, 500), "99, and the one that tells of all");
    let lines = first.stderr.lines().filter(|line| line.contains("WARN")).count();
    assert_eq!(lines, 20 + 3, "single ones, the fault, and two that count the others: {}", first.stderr);
    assert!(first.stderr.contains("480 further items failed"), "{}", first.stderr);
    // The next run takes the next, and none of those that wait.
    let second = run(&clinic, &[]).await.expect(1);
    assert_eq!(counts(&second), [0, 500, 2500]);
    assert_eq!(kept(&clinic).await, 1000);
    assert_eq!(clinic.count("SELECT max(refusals)::bigint FROM item_refusals").await, 1, "each was tried once");
}

#[tokio::test]
async fn a_refused_item_waits_until_its_next_try_and_is_forgotten_when_it_is_done() {
    let clinic = refusing(40, "id <= 30").await;
    assert_eq!(counts(&run(&clinic, &["--batch-rows", "10"]).await.expect(3)), [10, 30, 0]);
    assert_eq!((errors(&clinic).await, kept(&clinic).await), (30, 30));
    let plan = "SELECT count(DISTINCT next_try_at) AS n, min(next_try_at - last_refused_at)::text AS after,
                       min(refusals) AS refusals FROM item_refusals";
    assert_eq!(clinic.json(plan).await, json!({"n": 1, "after": "00:15:00", "refusals": 1}));
    // At once: none is tried.
    assert_eq!(counts(&run(&clinic, &[]).await.expect(0)), [0, 0, 30]);
    assert_eq!(errors(&clinic).await, 30);
    // Its time has come: tried again, and the wait is twice as long.
    wait(&clinic).await;
    assert_eq!(counts(&run(&clinic, &[]).await.expect(3)), [0, 30, 0]);
    assert_eq!(errors(&clinic).await, 60);
    assert_eq!(clinic.json(plan).await, json!({"n": 1, "after": "00:30:00", "refusals": 2}));
    clinic.sql("UPDATE item_refusals SET refusals = 1000000000").await;
    wait(&clinic).await;
    run(&clinic, &[]).await.expect(3);
    assert_eq!(clinic.json(plan).await["after"], "23:00:00", "at most");
    // A clock that was put right, or a replay: a refusal in the future makes nobody wait.
    clinic.sql("UPDATE item_refusals SET last_refused_at = '2027-01-01', next_try_at = '2027-01-02'").await;
    assert_eq!(counts(&run(&clinic, &[]).await.expect(3)), [0, 30, 0]);
    // Mended: it waits still, until a person says so.
    mend(&clinic).await;
    assert_eq!(counts(&run(&clinic, &[]).await.expect(0)), [0, 0, 30]);
    assert_eq!(counts(&run(&clinic, &["--retry-refused"]).await.expect(0)), [30, 0, 0]);
    assert_eq!(kept(&clinic).await, 0);
}

#[tokio::test]
async fn what_waits_does_not_count_for_the_brake_and_what_is_no_longer_due_is_forgotten() {
    let clinic = refusing(40, "id <= 30").await;
    clinic.sql("UPDATE appointments SET appointment_date = '2026-03-03' WHERE id > 30").await;
    run(&clinic, &[]).await.expect(3);
    clinic.sql("UPDATE appointments SET appointment_date = '2026-03-02' WHERE id > 30").await;
    run(&clinic, &["--max-items", "9"]).await.expect(5);
    assert_eq!(kept(&clinic).await, 30, "a run that failed forgets nothing");
    assert_eq!(counts(&run(&clinic, &["--max-items", "10"]).await.expect(0)), [10, 0, 30]);
    run(&clinic, &["--max-items", "29", "--retry-refused"]).await.expect(5);
    // Two were put off.
    clinic.sql("UPDATE appointments SET appointment_date = '2026-03-03' WHERE id IN (3, 4)").await;
    assert_eq!(counts(&run(&clinic, &[]).await.expect(0)), [0, 0, 28]);
    assert_eq!(clinic.count("SELECT count(*) FROM item_refusals WHERE n(entity_id) IN (3, 4)").await, 0);
    assert_eq!(kept(&clinic).await, 28);
}

#[tokio::test]
async fn a_held_item_stays_known_and_a_row_that_is_gone_is_forgotten() {
    let clinic = refusing(3, "id <= 2").await;
    run(&clinic, &[]).await.expect(3);
    mend(&clinic).await;
    clinic.sql("DELETE FROM doctor_slots WHERE appointment_id = 2; DELETE FROM appointments WHERE id = 2").await;
    clinic.sql("BEGIN; SELECT FROM appointments WHERE id = 1 FOR NO KEY UPDATE").await;
    let outcome = run(&clinic, &["--retry-refused"]).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.json("SELECT jsonb_agg(entity_id) AS ids FROM item_refusals").await["ids"], json!(["1"]));
}

#[tokio::test]
async fn many_refusals_for_one_reason_are_one_fault() {
    let clinic = refusing(120, "true").await;
    for _ in 0..2 {
        clinic.user(1, "HOSPITAL_ADMIN").await;
    }
    let first = run(&clinic, &[]).await.expect(1);
    let report = first.report();
    assert_eq!((counts(&first), &report["error_code"]), ([0, 120, 0], &json!("TOO_MANY_REFUSED")), "{first:?}");
    assert_eq!(last(&clinic).await, json!({"status": "FAILED", "error_code": "TOO_MANY_REFUSED"}));
    assert_eq!((errors(&clinic).await, kept(&clinic).await), (100, 120));
    let told =
        clinic.json("SELECT entity, message FROM cron_job_run_errors WHERE error_code = 'TOO_MANY_REFUSED'").await;
    let message = told["message"].as_str().expect("a message");
    for part in ["120 appointments in a row", "23514", "table no_show_logs", "constraint refuses", "--retry-refused"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(first.stderr.matches("appointments in a row").count(), 2, "a warning, and the end: {}", first.stderr);
    // While all of them wait, a run is neither a failure nor a success.
    let second = run(&clinic, &[]).await.expect(0);
    assert_eq!(counts(&second), [0, 0, 120]);
    assert_eq!(last(&clinic).await, json!({"status": "SKIPPED", "error_code": "TOO_MANY_REFUSED"}));
    assert_eq!(errors(&clinic).await, 100);
    // So the third try is the third failure in a row, of which the admins are told, once.
    let told = "SELECT count(*) FROM notifications WHERE type = 'JOB_FAILING'";
    for (tries, notices) in [(2, 0), (3, 2), (4, 2)] {
        wait(&clinic).await;
        run(&clinic, &[]).await.expect(1);
        assert_eq!(clinic.count(told).await, notices, "after {tries} tries");
        run(&clinic, &[]).await.expect(0);
    }
    mend(&clinic).await;
    assert_eq!(counts(&run(&clinic, &["--retry-refused"]).await.expect(0)), [120, 0, 0]);
    assert_eq!(last(&clinic).await, json!({"status": "COMPLETED", "error_code": null}));
    assert_eq!(clinic.count("SELECT count(*) FROM notifications WHERE type = 'JOB_RECOVERED'").await, 2);
}

#[tokio::test]
async fn a_fault_beside_successes_is_a_failed_item_more_and_a_success_between_ends_the_row() {
    // 110 in a row, then one that is good.
    let clinic = refusing(111, "id <= 110").await;
    assert_eq!(counts(&run(&clinic, &[]).await.expect(3)), [1, 110, 0]);
    assert_eq!(last(&clinic).await, json!({"status": "COMPLETED", "error_code": null}));
    assert_eq!(errors(&clinic).await, 100);
    // A good one after 60 of 120.
    let clinic = refusing(121, "id <> 61").await;
    assert_eq!(counts(&run(&clinic, &["--batch-rows", "1"]).await.expect(3)), [1, 120, 0]);
    assert_eq!((errors(&clinic).await, kept(&clinic).await), (120, 120));
}

#[tokio::test]
async fn a_dry_run_says_what_waits_and_writes_nothing() {
    let clinic = refusing(40, "id <= 30").await;
    let all = "SELECT (SELECT jsonb_agg(r ORDER BY id) FROM item_refusals r) AS r,
                      (SELECT count(*) FROM cron_job_run_errors) AS e, (SELECT count(*) FROM cron_job_runs) AS n";
    let before = clinic.json(all).await;
    assert_eq!(counts(&run(&clinic, &["--dry-run"]).await.expect(3)), [10, 30, 0]);
    assert_eq!(clinic.json(all).await, before);
    run(&clinic, &[]).await.expect(3);
    let before = clinic.json(all).await;
    assert_eq!(counts(&run(&clinic, &["--dry-run"]).await.expect(0)), [0, 0, 30]);
    assert_eq!(counts(&run(&clinic, &["--dry-run", "--retry-refused"]).await.expect(3)), [0, 30, 0]);
    mend(&clinic).await;
    assert_eq!(counts(&run(&clinic, &["--dry-run", "--retry-refused"]).await.expect(0)), [30, 0, 0]);
    assert_eq!(clinic.json(all).await, before);
}

#[tokio::test]
async fn what_cannot_be_judged_fails_at_each_run_and_is_recorded_when_its_time_has_come() {
    let clinic = Clinic::with_visits(3).await;
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    clinic.sql("UPDATE facilities SET time_zone = 'Mars/Olympus'").await;
    for recorded in [1, 1] {
        let outcome = run(&clinic, &[]).await.expect(3);
        assert_eq!((outcome.count("scanned"), outcome.count("failed"), errors(&clinic).await), (1, 1, recorded));
    }
    wait(&clinic).await;
    run(&clinic, &[]).await.expect(3);
    assert_eq!((errors(&clinic).await, kept(&clinic).await), (2, 1));
    clinic.sql("UPDATE facilities SET time_zone = 'America/New_York'").await;
    assert_eq!(run(&clinic, &[]).await.expect(0).count("marked"), 3);
    assert_eq!(kept(&clinic).await, 0);
}

#[tokio::test]
async fn health_is_degraded_while_something_waits_and_the_run_shows_it() {
    let clinic = refusing(10, "id <= 4").await;
    // Without --as-of: the visits of a day that is not over. Health looks at the clock.
    let failed = run(&clinic, &[]).await.expect(3).report();
    let health = async |clinic: &Clinic| {
        let report = clinic.run(&["health", "mark-no-shows", "--output", "json"]).await.expect(0).report();
        report["jobs"][0].clone()
    };
    run(&clinic, &[]).await.expect(0);
    let degraded = health(&clinic).await;
    assert_eq!((&degraded["isHealthy"], &degraded["isDegraded"]), (&json!(true), &json!(true)), "{degraded}");
    assert_eq!(degraded["refusedItems"], json!({"count": 4, "byCode": {"23514": 4}}));
    let message = degraded["healthMessage"].as_str().expect("a message");
    assert!(message.ends_with("; 4 refused items wait (23514: 4)"), "{message}");
    let id = failed["run_id"].as_str().expect("an id");
    let shown = clinic.run(&["runs", "show", id, "--output", "json"]).await.expect(0).report();
    let refused = &shown["refused"][0];
    assert_eq!(
        (&refused["items"], &refused["error_code"], &refused["entity"]),
        (&json!(4), &json!("23514"), &json!("appointment"))
    );
    let text = clinic.run(&["runs", "show", id, "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("refused, until the next try") && text.contains("2026-03-02 14:30 UTC"), "{text}");
    mend(&clinic).await;
    run(&clinic, &["--retry-refused"]).await.expect(0);
    let well = health(&clinic).await;
    assert_eq!((&well["isDegraded"], &well["refusedItems"]["count"]), (&json!(false), &json!(0)), "{well}");
}
