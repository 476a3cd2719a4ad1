//! A database's clock that was put back: what was written before lies in the future, and is neither alive nor recent.

use serde_json::{Value, json};

use crate::support::Clinic;

const EARLIER: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"];
const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// The codes of all runs, in the order of their ends.
async fn codes(clinic: &Clinic) -> Vec<String> {
    let rows = clinic.rows("SELECT coalesce(error_code, status) FROM cron_job_runs ORDER BY completed_at").await;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Puts the clock back: every run and notice so far is that much later.
async fn put_back(clinic: &Clinic, by: &str) {
    clinic
        .sql(&format!(
            "UPDATE cron_job_runs
             SET started_at = started_at + interval '{by}', heartbeat_at = heartbeat_at + interval '{by}',
                 deadline_at = deadline_at + interval '{by}', completed_at = completed_at + interval '{by}';
             UPDATE notifications SET created_at = created_at + interval '{by}'"
        ))
        .await;
}

/// What `rounds health` says of the job, where it is noon: all of its working hours are far away.
async fn health(clinic: &Clinic) -> (i32, Value) {
    let hour = clinic.count("SELECT EXTRACT(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::bigint").await;
    // The signs of these names are the other way round.
    let outcome = clinic.run(&["health", "mark-no-shows", "--schedule-zone", &format!("Etc/GMT{:+}", hour - 12)]).await;
    (outcome.code, outcome.report()["jobs"][0].take())
}

#[tokio::test]
async fn a_heartbeat_in_the_future_is_a_sign_of_life_for_a_lease_only() {
    for (ahead, code) in [("40 s", "ALREADY_RUNNING"), ("65 s", "CLOCK"), ("26 hours", "CLOCK")] {
        let clinic = Clinic::new().await;
        clinic.dead_run(&format!("-{ahead}"), &format!("-{ahead}")).await;
        let outcome = clinic.run(&["mark-no-shows"]).await.expect(0);
        let expected = if code == "CLOCK" { vec![code, "COMPLETED"] } else { vec![code, "RUNNING"] };
        assert_eq!(codes(&clinic).await, expected, "{ahead}: {outcome:?}");
        if code == "CLOCK" {
            let message = clinic.json("SELECT error_message AS m FROM cron_job_runs WHERE error_code = 'CLOCK'").await;
            assert!(message["m"].as_str().is_some_and(|why| why.contains("clock was put back")), "{message}");
        }
    }
}

/// A longer lease of either run gives more.
#[tokio::test]
async fn the_longer_lease_allows_a_later_heartbeat() {
    let clinic = Clinic::new().await;
    clinic.dead_run("-5 minutes", "-1 hour").await;
    clinic.run(&["mark-no-shows", "--lease", "10m"]).await.expect(0);
    clinic.run(&["mark-no-shows"]).await.expect(0);
    assert_eq!(codes(&clinic).await, ["ALREADY_RUNNING", "CLOCK", "COMPLETED"]);
}

#[tokio::test]
async fn a_success_in_the_future_is_not_recent() {
    for (by, skips) in [("20 s", true), ("3 minutes", false), ("20 days", false)] {
        let clinic = Clinic::with_visits(3).await;
        clinic.run(&EARLIER).await.expect(0);
        put_back(&clinic, by).await;
        let args = [&AT[..], &["--unless-succeeded-within", "6h"]].concat();
        let dry = clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(0).report();
        assert_eq!(dry["status"] == "SKIPPED", skips, "{by}: {dry}");
        let report = clinic.run(&args).await.expect(0).report();
        assert_eq!(report["status"] == "SKIPPED", skips, "{by}: {report}");
        assert_eq!(clinic.effects().await.0 == 0, skips, "{by}");
    }
}

#[tokio::test]
async fn a_brake_in_the_future_holds_nothing_up() {
    let clinic = Clinic::with_visits(3).await;
    clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
    put_back(&clinic, "2 days").await;
    let outcome = clinic.run(&[&AT[..], &["--unless-succeeded-within", "6h"]].concat()).await.expect(0);
    assert_eq!(outcome.count("marked"), 3);
}

async fn told(clinic: &Clinic, kind: &str) -> i64 {
    clinic.count(&format!("SELECT count(*) FROM notifications WHERE type = '{kind}'")).await
}

#[tokio::test]
async fn a_streak_is_told_whatever_the_future_has() {
    let clinic = Clinic::with_visits(3).await;
    clinic.user(1, "HOSPITAL_ADMIN").await;
    let fail = async || {
        clinic.run(&[&AT[..], &["--max-items", "1"]].concat()).await.expect(5);
    };
    // A success of the future does not hide what fails now.
    clinic.run(&EARLIER).await.expect(0);
    put_back(&clinic, "20 days").await;
    for expected in [0, 0, 1, 1] {
        fail().await;
        assert_eq!(told(&clinic, "JOB_FAILING").await, expected);
    }
    // Nor do notices of the future.
    clinic.sql("UPDATE notifications SET created_at = created_at + interval '20 days'").await;
    for _ in 0..2 {
        fail().await;
        assert_eq!(told(&clinic, "JOB_FAILING").await, 2, "and once a day");
    }
    clinic.run(&EARLIER).await.expect(0);
    assert_eq!(told(&clinic, "JOB_RECOVERED").await, 1);
    // Failures of the future are no failures since the last success.
    fail().await;
    fail().await;
    clinic
        .sql("UPDATE cron_job_runs SET completed_at = completed_at + interval '9 days' WHERE status = 'FAILED'")
        .await;
    for expected in [2, 2] {
        fail().await;
        assert_eq!(told(&clinic, "JOB_FAILING").await, expected);
    }
    clinic.run(&EARLIER).await.expect(0);
    clinic.run(&EARLIER).await.expect(0);
    assert_eq!(told(&clinic, "JOB_RECOVERED").await, 1, "of two failures nobody was told");
}

#[tokio::test]
async fn health_names_what_lies_in_the_future_and_does_not_count_it() {
    let clinic = Clinic::new().await;
    // The schema was made then, too.
    clinic.sql("UPDATE rounds_migrations SET applied_on = '2200-01-01T00:00:00Z'").await;
    clinic.run(&["mark-no-shows"]).await.expect(0);
    put_back(&clinic, "20 days").await;
    let id = clinic.json("SELECT id FROM cron_job_runs").await["id"].clone();
    let (code, job) = health(&clinic).await;
    assert_eq!(code, 1, "{job}");
    assert_eq!((&job["healthCodes"], &job["lastSuccessfulRun"]), (&json!(["CLOCK"]), &json!(null)), "{job}");
    assert_eq!((&job["lastRunTime"], &job["stats"]["totalRuns"]), (&json!(null), &json!(0)), "{job}");
    let why = job["healthMessage"].as_str().expect("a text");
    assert!(why.contains("never succeeded") && why.contains(id.as_str().expect("an id")), "{why}");
    // A run of now is judged as always; the other one degrades the lane.
    clinic.run(&["mark-no-shows"]).await.expect(0);
    let (code, job) = health(&clinic).await;
    assert_eq!(code, 0, "{job}");
    assert_eq!((&job["isHealthy"], &job["isDegraded"]), (&json!(true), &json!(true)), "{job}");
    assert_eq!((&job["healthCodes"], &job["consecutiveFailures"]), (&json!(["CLOCK"]), &json!(0)), "{job}");
    clinic.sql("DELETE FROM cron_job_runs WHERE started_at > clock_timestamp()").await;
    let (code, job) = health(&clinic).await;
    assert_eq!(code, 0, "{job}");
    assert_eq!((&job["isDegraded"], &job["healthCodes"]), (&json!(false), &json!([])), "{job}");
    // A run at whose end the clock had been put back already did not begin later than it ended.
    clinic
        .sql(
            "UPDATE cron_job_runs SET completed_at = completed_at - interval '2 days',
                                         started_at = started_at + interval '20 days'",
        )
        .await;
    let (code, job) = health(&clinic).await;
    assert_eq!(code, 1, "{job}");
    assert_eq!(job["healthCodes"], json!(["CLOCK"]), "{job}");
}

#[tokio::test]
async fn health_names_a_run_that_is_alive_in_the_future() {
    let clinic = Clinic::new().await;
    clinic.dead_run("-1 hour", "-2 hours").await;
    assert_eq!(health(&clinic).await.1["healthCodes"], json!(["CLOCK"]));
}
