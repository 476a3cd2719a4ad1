//! More than usual is not moved without a person's word.

use serde_json::json;

use super::{BillingFixture, PAID, PENDING};

/// What the admins were told.
async fn told(fixture: &BillingFixture) -> Vec<String> {
    let query = "SELECT title || ' | ' || body FROM notifications WHERE recipient_kind = 'USER' ORDER BY id";
    fixture.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

/// A run of the past, in a lane.
async fn past(fixture: &BillingFixture, lane: &str, status: &str, items: &[i64]) {
    for items in items {
        let error = if status == "FAILED" { "'X'" } else { "NULL" };
        let insert = format!(
            "INSERT INTO cron_job_runs (id, job_name, lane, status, started_at, heartbeat_at, deadline_at, completed_at,
                                        duration_ms, items_processed, error_code, error_message, host, version)
             SELECT gen_random_uuid(), 'advance-billing', '{lane}', '{status}', t, t, t, t, 0, {items}, {error}, {error},
                    'h', 'v' FROM (SELECT clock_timestamp() AS t) c"
        );
        fixture.clinic.sql(&insert).await;
    }
}

#[tokio::test]
async fn fifty_move_unasked_and_fifty_one_wait_for_a_word() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 51).await;
    fixture.clinic.user(fixture.facility, "HOSPITAL_ADMIN").await;
    fixture.clinic.user(fixture.facility, "BILLING").await;
    let dry = fixture.run(PENDING, &["--dry-run"]).await;
    assert_eq!(dry.count("advanced"), 51, "a dry run shows what is due beyond the brake");
    assert!(dry.report()["would_brake"].as_str().is_some_and(|why| why.starts_with("51 cases are due")), "{dry:?}");
    assert_eq!(fixture.statuses().await, [(10, 51)]);
    assert_eq!(told(&fixture).await.len(), 0, "of a dry run nobody is told");
    let outcome = fixture.clinic.run(PENDING).await.expect(5);
    let message = "51 cases are due, worth 510.51 in all, and at most 50 may move unasked; nothing was changed. Look at them \
                   with --dry-run --list; if they are right, run once with --confirm-items 51";
    assert_eq!(outcome.report()["error_message"], message);
    assert_eq!((outcome.count("scanned"), outcome.count("advanced")), (51, 0));
    assert_eq!(fixture.statuses().await, [(10, 51)]);
    let body = format!("advance-billing-pending-payment was stopped by its brake: {message} [BRAKE]");
    let waits = format!("advance-billing-pending-payment waits for your word | {body}");
    assert_eq!(told(&fixture).await, std::slice::from_ref(&waits), "the admin alone, at once");
    fixture.clinic.run(PENDING).await.expect(5);
    assert_eq!(told(&fixture).await.len(), 1, "once a day");
    fixture.clinic.run(&[PENDING, &["--confirm-items", "50"]].concat()).await.expect(5);
    fixture.run(PENDING, &["--confirm-items", "51"]).await;
    assert_eq!(fixture.statuses().await, [(15, 51)]);
    let runs = "advance-billing-pending-payment runs again";
    assert_eq!(told(&fixture).await, [waits, format!("{runs} | {runs}; it had been stopped by its brake.")]);
    fixture.cases(10, 50).await;
    assert_eq!(fixture.run(PENDING, &[]).await.count("advanced"), 50);
}

#[tokio::test]
async fn five_times_the_median_of_the_last_eight_that_moved_something_is_usual() {
    let fixture = BillingFixture::new().await;
    // Older than the last eight, of another lane, failed, or with nothing to do: none of them counts.
    past(&fixture, "pending-payment", "COMPLETED", &[9000, 9000, 9000, 9000, 9000]).await;
    past(&fixture, "pending-payment", "COMPLETED", &[10, 12, 13, 14, 17, 18, 90, 1]).await;
    past(&fixture, "pending-payment", "COMPLETED", &[0; 8]).await;
    past(&fixture, "pending-payment", "FAILED", &[8000; 8]).await;
    past(&fixture, "by-hand", "COMPLETED", &[7000; 8]).await;
    past(&fixture, "paid", "COMPLETED", &[6000]).await;
    // The middle of 1 10 12 13 14 17 18 90 is 13.5: 67 move, 68 do not.
    fixture.cases(10, 68).await;
    let outcome = fixture.clinic.run(PENDING).await.expect(5);
    let error = outcome.report()["error_message"].as_str().expect("a message").to_owned();
    assert!(error.contains("at most 67 may move unasked"), "{error}");
    fixture.clinic.sql("UPDATE surgical_cases SET active = false WHERE id = 1").await;
    assert_eq!(fixture.run(PENDING, &[]).await.count("advanced"), 67);
    // The other stage is judged by its own.
    fixture.cases(15, 200).await;
    assert_eq!(fixture.run(PAID, &[]).await.count("advanced"), 200);
}

#[tokio::test]
async fn what_is_set_takes_the_place_of_what_is_usual() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 6).await;
    for braked in [&["--max-items", "5"][..], &["--confirm-items", "5"], &["--max-items", "9", "--confirm-items", "5"]]
    {
        fixture.clinic.run(&[PENDING, braked].concat()).await.expect(5);
    }
    assert_eq!(fixture.run(PENDING, &["--max-items", "5", "--confirm-items", "6"]).await.count("advanced"), 6);
    fixture.cases(10, 60).await;
    assert_eq!(fixture.run(PENDING, &["--max-items", "60"]).await.count("advanced"), 60);
}

#[tokio::test]
async fn the_bare_command_moves_nothing_and_says_what_each_stage_would_do() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    fixture.run(PENDING, &[]).await;
    fixture.cases(10, 60).await;
    fixture.cases(15, 2).await;
    let before = super::owed::state(&fixture.clinic).await;
    let outcome = fixture.clinic.run(&["advance-billing", "--as-of", "2026-03-02T09:00:00Z"]).await.expect(2);
    let report = outcome.report();
    assert_eq!(report["error_code"], "STAGE_REQUIRED");
    let stages = json!([
        {"stage": "pending-payment", "from_status": 10, "to_status": 15, "due": 60, "worth": "600.60", "held_back": 0,
         "moves_unasked_max": 50},
        {"stage": "paid", "from_status": 15, "to_status": 20, "due": 2, "worth": "20.02", "held_back": 3,
         "moves_unasked_max": 50},
    ]);
    assert_eq!(report["stages"], stages);
    let text = fixture.clinic.run(&["advance-billing", "--output", "text"]).await.expect(2).stdout;
    insta::assert_snapshot!("stages", text);
    assert_eq!(super::owed::state(&fixture.clinic).await, before);
    let nowhere = crate::support::Program::new("postgresql://rounds@127.0.0.1:1/clinic");
    let outcome = nowhere.run(&["advance-billing", "--stage", "paid", "--attempts", "1"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "CONNECTION", "{outcome:?}");
    let outcome = nowhere.run(&["advance-billing"]).await.expect(2);
    assert!(outcome.stderr.contains("--stage is required, pending-payment or paid"), "{}", outcome.stderr);
}
