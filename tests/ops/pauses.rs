//! `rounds pause` and `rounds resume`: the stop switch, what it does to runs, and what health makes of it.

use serde_json::{Value, json};

use super::{ROLES, at_once, group_user, refused};
use crate::support::keys::Kind;
use crate::support::program::{Outcome, finish};
use crate::support::{Clinic, gate};

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
const REASON: &str = "the audit of Mrs Canary";

/// A clinic with visits that are due, and an admin of the group.
async fn clinic(visits: i64) -> (Clinic, String) {
    let clinic = Clinic::with_visits(visits).await;
    let user = clinic.of_the_group().await.to_string();
    (clinic, user)
}

async fn pause(clinic: &Clinic, what: &str, user: &str, more: &[&str]) -> Outcome {
    clinic.run(&[&["pause", what, "--reason", REASON, "--actor", user], more].concat()).await
}

async fn resume(clinic: &Clinic, what: &str, user: &str) -> Outcome {
    clinic.run(&["resume", what, "--actor", user]).await
}

/// Status and code of a run.
fn ended(outcome: &Outcome) -> (String, String) {
    let report = outcome.report();
    let text = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("error_code"))
}

fn skipped() -> (String, String) {
    ("SKIPPED".into(), "PAUSED".into())
}

#[tokio::test]
async fn a_paused_job_does_nothing_until_it_is_resumed_and_the_others_go_on() {
    let (clinic, user) = clinic(2).await;
    let report = pause(&clinic, "mark-no-shows", &user, &[]).await.expect(0).report();
    assert_eq!(
        (&report["job"], &report["lane"], &report["until"]),
        (&json!("mark-no-shows"), &Value::Null, &Value::Null)
    );
    for more in [&[][..], &["--source", "cron"], &["--fail-if-running"], &["--actor", &user], &["--max-items", "9"]] {
        let outcome = clinic.run(&[&AT[..], more].concat()).await.expect(0);
        assert_eq!(ended(&outcome), skipped(), "{more:?}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        for word in [format!("paused by user {user} since "), "`rounds resume mark-no-shows --actor".to_owned()] {
            assert!(said.contains(&word), "{word} is missing in {said}");
        }
        assert!(!said.contains("Canary"), "the reason is free text: {said}");
    }
    let rows = clinic.json("SELECT jsonb_agg(r) AS r FROM cron_job_runs r").await;
    assert!(!rows.to_string().contains("Canary"), "{rows}");
    assert_eq!(clinic.effects().await, (0, 0, 0));
    clinic.run(&["prune"]).await.expect(0);
    assert_eq!(
        clinic.run(&[&AT[..], &["--dry-run"]].concat()).await.expect(0).count("marked"),
        2,
        "it changes nothing"
    );

    let report = resume(&clinic, "mark-no-shows", &user).await.expect(0).report();
    assert_eq!((&report["resumed_by"], &report["still_paused"]), (&json!(user), &json!([])));
    assert_eq!(clinic.run(&AT).await.expect(0).count("marked"), 2);
    let kept =
        clinic.json("SELECT job_name, reason, paused_by, resumed_by, resumed_at >= paused_at AS done FROM pauses");
    let expected = json!({
        "job_name": "mark-no-shows", "reason": REASON, "paused_by": user, "resumed_by": user, "done": true
    });
    assert_eq!(kept.await, expected);
    let acts = clinic.json("SELECT jsonb_agg(command ORDER BY acted_at) AS a FROM operator_actions").await;
    assert_eq!(acts["a"], json!(["pause", "resume"]));
}

#[tokio::test]
async fn a_person_may_run_it_all_the_same_and_says_who() {
    let (clinic, user) = clinic(1).await;
    pause(&clinic, "--all", &user, &[]).await.expect(0);
    refused(clinic.run(&[&AT[..], &["--even-if-paused"]].concat()).await, 2, "NO_ACTOR");
    let run = clinic.run(&[&AT[..], &["--even-if-paused", "--actor", &user]].concat()).await.expect(0);
    assert_eq!(run.count("marked"), 1);
    let row = "SELECT actor, metadata #> '{arguments,run,even_if_paused}' AS flag FROM cron_job_runs
               WHERE status = 'COMPLETED'";
    assert_eq!(clinic.json(row).await, json!({ "actor": user, "flag": true }));
}

#[tokio::test]
async fn a_pause_whose_end_has_come_counts_no_more() {
    let (clinic, user) = clinic(1).await;
    let passed = "2026-03-01T00:00:00Z";
    refused(pause(&clinic, "mark-no-shows", &user, &["--until", passed]).await, 2, "UNTIL_PASSED");
    let until = "2999-01-01T00:00:00Z";
    pause(&clinic, "mark-no-shows", &user, &["--until", until]).await.expect(0);
    let outcome = clinic.run(&AT).await.expect(0);
    assert_eq!(ended(&outcome), skipped());
    assert!(outcome.stdout.contains(" until 2999-01-01T00:00:00Z"), "{outcome:?}");
    clinic.sql("UPDATE pauses SET paused_at = paused_at - interval '1 h', until = clock_timestamp()").await;
    clinic.run(&AT).await.expect(0);
    assert_eq!(clinic.effects().await.0, 1);
    refused(resume(&clinic, "mark-no-shows", &user).await, 1, "NOT_PAUSED");
    pause(&clinic, "mark-no-shows", &user, &[]).await.expect(0);
    let rows = "SELECT jsonb_agg(resumed_at IS NOT DISTINCT FROM until ORDER BY id) AS over FROM pauses";
    assert_eq!(clinic.json(rows).await["over"], json!([true, true]), "the first ended at its end, the second lasts");
}

#[tokio::test]
async fn only_an_admin_of_the_group_may_and_nothing_is_changed_in_a_dry_run() {
    let (clinic, admin) = clinic(1).await;
    // Where there is only one facility, its admins are the group's.
    clinic.facility("America/New_York", None).await;
    for role in ROLES {
        let users = [clinic.user(1, role).await.to_string(), group_user(&clinic, role).await.to_string()];
        for (user, is_of_the_group) in users.iter().zip([false, true]) {
            let outcome = pause(&clinic, "prune", user, &[]).await;
            if role == "HOSPITAL_ADMIN" && is_of_the_group {
                outcome.expect(0);
                resume(&clinic, "prune", user).await.expect(0);
                continue;
            }
            let message = refused(outcome, 2, "ACTOR_NOT_ALLOWED");
            assert!(message.contains("needs a HOSPITAL_ADMIN without a facility"), "{message}");
            refused(resume(&clinic, "prune", user).await, 2, "ACTOR_NOT_ALLOWED");
            refused(clinic.run(&["resume", "--restored", "--actor", user]).await, 2, "ACTOR_NOT_ALLOWED");
        }
    }
    let count = "SELECT count(*) FROM pauses";
    assert_eq!(clinic.count(count).await, 1);
    pause(&clinic, "prune", &admin, &["--dry-run"]).await.expect(0);
    assert_eq!(clinic.count(count).await, 1);
    refused(pause(&clinic, "prunes", &admin, &[]).await, 2, "UNKNOWN_JOB");
    for bad in [
        &["pause", "prune", "--actor", "1"][..],
        &["pause", "--reason", "x"],
        &["resume"],
        &["resume", "prune", "--all"],
    ] {
        clinic.run(bad).await.expect(2);
    }
    clinic.run(&["pause", "prune", "--reason", " ", "--actor", &admin]).await.expect(2);
}

#[tokio::test]
async fn everything_a_job_and_a_lane_are_paused_apart() {
    let (clinic, user) = clinic(1).await;
    let paid = ["advance-billing", "--stage", "paid"];
    let pending = ["advance-billing", "--stage", "pending-payment"];
    let stops = async |args: &[&str]| ended(&clinic.run(args).await.expect(0)) == skipped();
    pause(&clinic, "advance-billing-paid", &user, &[]).await.expect(0);
    assert_eq!([stops(&paid).await, stops(&pending).await, stops(&["prune"]).await], [true, false, false]);
    pause(&clinic, "advance-billing", &user, &[]).await.expect(0);
    assert_eq!([stops(&paid).await, stops(&pending).await, stops(&["prune"]).await], [true, true, false]);
    pause(&clinic, "--all", &user, &[]).await.expect(0);
    assert!(stops(&["prune"]).await);
    let report = resume(&clinic, "--all", &user).await.expect(0).report();
    assert_eq!(report["still_paused"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!([stops(&pending).await, stops(&["prune"]).await], [true, false]);
    resume(&clinic, "advance-billing", &user).await.expect(0);
    assert_eq!([stops(&paid).await, stops(&pending).await], [true, false]);
    let message = refused(resume(&clinic, "advance-billing", &user).await, 1, "NOT_PAUSED");
    assert!(message.contains("paused are advance-billing-paid, by user "), "{message}");
}

#[tokio::test]
async fn of_two_who_pause_at_once_one_is_told_who_was_first() {
    let (clinic, user) = clinic(1).await;
    let args = ["pause", "prune", "--reason", "x", "--actor", &user];
    let outcomes = at_once(&clinic, "LOCK TABLE pauses IN EXCLUSIVE MODE", &args, &args).await;
    let mut codes: Vec<i32> = outcomes.iter().map(|outcome| outcome.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "{outcomes:?}");
    assert_eq!(clinic.count("SELECT count(*) FROM pauses").await, 1);
    let message = refused(pause(&clinic, "prune", &user, &[]).await, 1, "ALREADY_PAUSED");
    assert!(
        message.contains(&format!("by user {user} since")) && message.contains("`rounds resume prune`"),
        "{message}"
    );
}

#[tokio::test]
async fn a_run_that_is_at_work_stops_at_its_next_batch_and_keeps_what_it_did() {
    let (clinic, user) = clinic(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&[&AT[..], &["--lease", "6s", "--batch-rows", "10"]].concat());
    gate::reached(&clinic).await;
    pause(&clinic, "--all", &user, &[]).await.expect(0);
    // A beat comes each second; the batch at work has four more.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    gate::open(&clinic).await;
    let outcome = finish(run).await.expect(0);
    assert_eq!(ended(&outcome), skipped());
    assert!(outcome.stdout.contains("what was committed stays"), "{outcome:?}");
    assert_eq!(clinic.effects().await.0, 20, "the batch at work was done");
    let row = clinic.json("SELECT status, items_processed FROM cron_job_runs").await;
    assert_eq!(row, json!({ "status": "SKIPPED", "items_processed": 20 }));
    resume(&clinic, "--all", &user).await.expect(0);
    assert_eq!(clinic.run(&AT).await.expect(0).count("marked"), 10);
}

#[tokio::test]
async fn a_dead_run_of_a_paused_lane_is_taken_over_after_the_pause() {
    let (clinic, user) = clinic(1).await;
    clinic.dead_run("10 minutes", "5 minutes").await;
    pause(&clinic, "mark-no-shows", &user, &[]).await.expect(0);
    assert_eq!(ended(&clinic.run(&AT).await.expect(0)), skipped());
    resume(&clinic, "mark-no-shows", &user).await.expect(0);
    assert_eq!(clinic.run(&AT).await.expect(0).count("marked"), 1);
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs WHERE error_code = 'LEASE_EXPIRED'").await, 1);
}

#[tokio::test]
async fn health_says_who_and_why_and_nothing_is_late_missed_or_failing_meanwhile() {
    let (clinic, user) = clinic(2).await;
    clinic.run(&[&AT[..], &["--max-items", "1", "--source", "cron"]].concat()).await.expect(5);
    let health = async |more: &[&str], code| {
        let args = [&["health", "mark-no-shows", "--schedule-zone", "UTC"], more].concat();
        clinic.run(&args).await.expect(code)
    };
    health(&["--failing"], 1).await;
    pause(&clinic, "mark-no-shows", &user, &[]).await.expect(0);
    health(&["--failing"], 0).await;
    // A day later; nothing has started since.
    let later =
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '1 day', 'YYYY-MM-DD\"T\"12:00:00\"Z\"')";
    let later: String = clinic.row(later, &[]).await.get(0);
    let report = health(&["--as-of", &later], 0).await.report();
    let job = &report["jobs"][0];
    assert_eq!((&job["isHealthy"], &job["healthCodes"]), (&json!(true), &json!(["PAUSED"])), "{job}");
    assert_eq!((&job["pause"]["pausedBy"], &job["pause"]["reason"]), (&json!(user), &json!(REASON)), "{job}");
    let paused_at = job["pause"]["pausedAt"].as_str().expect("an instant");
    let missed = job["missedSlots"]["latest"].as_array().expect("a list");
    let is_before = |slot: &Value| slot.as_str().expect("an instant") < paused_at;
    assert!(missed.iter().all(is_before), "only slots before the pause: {job}");
    let text = health(&["--as-of", &later, "--output", "text"], 0).await.stdout;
    assert!(text.contains(" paused ") && text.contains(REASON), "{text}");

    // The pause ends at that instant: the lane has two intervals and a deadline from then on, but for its brake.
    clinic.sql(&format!("UPDATE pauses SET resumed_by = '1', resumed_at = '{later}'")).await;
    clinic.sql("UPDATE cron_job_runs SET error_code = 'OTHER' WHERE status = 'FAILED'").await;
    let after = |minutes: u32| later.replace("T12:00", &format!("T12:{minutes:02}"));
    let report = health(&["--as-of", &after(13)], 0).await.report();
    assert_eq!(report["jobs"][0]["pause"], Value::Null, "{report}");
    health(&["--as-of", &after(15)], 1).await;
}

#[tokio::test]
async fn the_user_may_have_a_key_of_any_kind() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let user = kind.text(clinic.of_the_group().await);
        pause(&clinic, "prune", &user, &[]).await.expect(0);
        assert_eq!(ended(&clinic.run(&["prune"]).await.expect(0)), skipped());
        resume(&clinic, "prune", &user).await.expect(0);
        assert_eq!(clinic.json("SELECT resumed_by FROM pauses").await["resumed_by"], json!(user));
    }
}
