//! The question before much is told at once: a lane's first run, and a run that is far above what the lane is used to.

use serde_json::json;

use crate::support::program::Outcome;
use crate::support::{Clinic, Program};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// A clinic with so many visits that are due, and the program as a scheduler starts it.
async fn clinic(visits: i64) -> (Clinic, Program) {
    let clinic = Clinic::with_visits(visits).await;
    let program = clinic.program.clone().without("ROUNDS_FIRST_RUN_MAX");
    (clinic, program)
}

/// Completed runs of the lane that did so many items, a minute apart.
async fn history(clinic: &Clinic, items: &[i64]) {
    for (number, items) in items.iter().enumerate() {
        let insert = format!(
            "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, items_processed, host, version)
             SELECT gen_random_uuid(), 'mark-no-shows', 'COMPLETED', t, t, t, t, 1, {items}, 'h', 'v'
             FROM (SELECT clock_timestamp() - interval '1 day' + interval '{number} min' AS t) c"
        );
        clinic.sql(&insert).await;
    }
}

/// The message of a run that was stopped before it changed anything.
#[track_caller]
fn braked(outcome: Outcome) -> String {
    let report = outcome.expect(5).report();
    assert_eq!(report["error_code"], "BRAKE", "{report}");
    report["error_message"].as_str().expect("it says why").to_owned()
}

#[tokio::test]
async fn the_first_run_of_a_lane_asks_above_a_hundred() {
    let (clinic, program) = clinic(101).await;
    let admin = clinic.user(1, "HOSPITAL_ADMIN").await;
    let message = braked(program.run(&AT).await);
    let words = [
        "101 items are due (the oldest since Monday 2026-03-02, 14:15 UTC)",
        "never completed a run",
        "`rounds mark-no-shows --max-items 112`",
    ];
    for word in words {
        assert!(message.contains(word), "{word} is missing in {message}");
    }
    assert_eq!(clinic.effects().await, (0, 0, 1), "nothing was changed, and the admin is told");
    assert_eq!(clinic.json("SELECT recipient_id AS r FROM notifications").await["r"], json!(admin.to_string()));
    let body = clinic.json("SELECT body FROM notifications").await;
    assert!(body["body"].as_str().is_some_and(|body| body.contains("since Monday 2026-03-02, 14:15 UTC")), "{body}");
    assert!(braked(program.run(&AT).await).contains("never completed"), "nobody has answered");
    let health = program.run(&["health", "mark-no-shows"]).await.expect(1).report();
    assert_eq!(health["jobs"][0]["healthCodes"], json!(["BRAKED"]));

    let dry = program.run(&[&AT[..], &["--dry-run"]].concat()).await.expect(0).report();
    assert_eq!(dry["marked"], 101, "a dry run shows all of it");
    assert!(dry["would_brake"].as_str().is_some_and(|why| why.contains("never completed")), "{dry}");
    let text = program.run(&[&AT[..], &["--dry-run", "--output", "text"]].concat()).await.expect(0).stdout;
    assert!(text.contains("A run would stop here [BRAKE]: 101 items are due"), "{text}");
    let check = ["check", "mark-no-shows", "--as-of", AT[2]];
    let check = program.run(&check).await.stdout;
    assert!(check.contains("would change 101 items now") && check.contains("the brake would stop it"), "{check}");
    assert_eq!(program.run(&[&AT[..], &["--max-items", "112"]].concat()).await.expect(0).count("marked"), 101);
}

#[tokio::test]
async fn a_hundred_pass_and_the_limit_is_an_option_of_its_own() {
    let (clinic, program) = clinic(101).await;
    let dry = program.run(&[&AT[..], &["--dry-run", "--first-run-max", "101"]].concat()).await.expect(0).report();
    assert_eq!(dry.get("would_brake"), None);
    braked(program.clone().env("ROUNDS_FIRST_RUN_MAX", "0").run(&AT).await);
    clinic.sql("DELETE FROM appointments WHERE id = (SELECT min(id) FROM appointments)").await;
    assert_eq!(program.run(&AT).await.expect(0).count("marked"), 100);
}

#[tokio::test]
async fn a_lane_that_has_completed_a_run_is_not_new() {
    let (clinic, program) = clinic(500).await;
    program.run(&["mark-no-shows", "--as-of", "2026-03-01T09:15:00-05:00"]).await.expect(0);
    assert_eq!(program.run(&AT).await.expect(0).count("marked"), 500);
    drop(clinic);
}

#[tokio::test]
async fn more_than_five_medians_and_five_hundred_ask() {
    let (clinic, program) = clinic(501).await;
    // The ninth before is too old to count, and runs that did nothing do not count: the median is 100.
    history(&clinic, &[9000, 90, 90, 90, 0, 100, 0, 100, 5000, 5000, 5000]).await;
    let message = braked(program.run(&AT).await);
    assert!(message.contains("501 items are due") && message.contains("(median 100)"), "{message}");
    assert_eq!(clinic.effects().await.0, 0);
    assert_eq!(
        program.run(&[&AT[..], &["--max-items", "552", "--dry-run"]].concat()).await.expect(0).count("marked"),
        501
    );
    clinic.sql("UPDATE cron_job_runs SET items_processed = 101 WHERE items_processed = 100").await;
    assert_eq!(program.run(&AT).await.expect(0).count("marked"), 501, "five times 101 is more");
}

#[tokio::test]
async fn a_job_that_tells_nobody_is_not_asked_about() {
    let (clinic, program) = clinic(1).await;
    clinic
        .sql(
            "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, host, version)
             SELECT gen_random_uuid(), 'stage-alerts', 'COMPLETED', t, t, t, t, 1, 'h', 'v'
             FROM (SELECT clock_timestamp() - interval '5 years' + g * interval '1 min' AS t
                   FROM generate_series(1, 600) g) c",
        )
        .await;
    assert_eq!(program.run(&["prune"]).await.expect(0).count("runs"), 599, "all but the newest success");
}

#[tokio::test]
async fn one_line_is_logged_when_a_run_begins() {
    let (clinic, program) = clinic(1).await;
    let args = [&AT[..], &["--log-format", "json", "--log-level", "info", "--timeout", "90s"]].concat();
    let outcome = program.run(&args).await.expect(0);
    let started = outcome.stderr.lines().find(|line| line.contains("run started")).expect("the line");
    let run: uuid::Uuid = clinic.row("SELECT id FROM cron_job_runs", &[]).await.get(0);
    for word in ["INFO", "mark-no-shows", &run.to_string(), "manual", "1m 30s"] {
        assert!(started.contains(word), "{word} is missing in {started}");
    }
    let dry = program.run(&[&args[..], &["--dry-run"]].concat()).await.expect(0);
    assert!(!dry.stderr.contains("run started"), "it claims nothing");
}
