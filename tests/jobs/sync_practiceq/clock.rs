//! A database's clock that was put back: what the sync remembers from before lies in the future, and holds nothing up.

use serde_json::json;

use super::words::{LATER, PAT, totals};
use crate::support::practiceq::{Fault, Sync, appointment};

async fn with_one_visit() -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    assert_eq!(totals(&sync.sweep().await)[0], 1);
    sync
}

#[tokio::test]
async fn requests_and_a_pause_of_the_future_are_over() {
    let sync = with_one_visit().await;
    let one = ["--appointment", "a1", "--requests-per-minute", "2", "--requests-per-day", "2", "--timeout", "20s"];
    sync.clinic
        .sql(
            "UPDATE api_requests SET requested_at = requested_at + interval '3 days';
             UPDATE api_budgets SET blocked_until = clock_timestamp() + interval '30 hours'",
        )
        .await;
    sync.ends(0, &one).await;
    sync.ends(0, &one).await;
    // Those of now count.
    assert_eq!(sync.run(&one).await.expect(1).report()["error_code"], "BUDGET");
    // A pause that the account may have asked for just now is kept.
    sync.clinic
        .sql(
            "DELETE FROM api_requests;
             UPDATE api_budgets SET blocked_until = clock_timestamp() + interval '23 hours 59 minutes'",
        )
        .await;
    assert_eq!(sync.run(&one).await.expect(1).report()["error_code"], "RATE_LIMITED");
}

#[tokio::test]
async fn a_new_pause_takes_the_place_of_one_of_the_future() {
    let sync = with_one_visit().await;
    sync.clinic.sql("UPDATE api_budgets SET blocked_until = clock_timestamp() + interval '9 days'").await;
    sync.upstream.fault(&[Fault::RetryAfter(429, "3600".into())]);
    sync.run(&["--appointment", "a1", "--timeout", "20s"]).await.expect(1);
    let left = "SELECT extract(epoch FROM blocked_until - clock_timestamp())::bigint FROM api_budgets";
    let left = sync.clinic.count(left).await;
    assert!((3500..=3600).contains(&left), "{left}");
}

#[tokio::test]
async fn a_plan_of_the_future_is_not_continued() {
    let sync = with_one_visit().await;
    sync.clinic
        .sql(
            "INSERT INTO practiceq_cursors (lane, query, page, saved_at, run_id)
             VALUES ('incremental', '{\"queries\": [], \"modified\": null, \"began\": \"2026-03-02T15:00:00Z\",
                                      \"days\": [90, 90]}', 7, clock_timestamp() + interval '2 days', gen_random_uuid())",
        )
        .await;
    sync.upstream.clear_requests();
    sync.ends(0, &["--incremental"]).await;
    let first = sync.upstream.requests().iter().filter(|request| request.page() == 1).count();
    assert_eq!(first, 2, "the changes and the deletions, from the first page");
}

#[tokio::test]
async fn what_was_read_in_the_future_is_read_again_and_can_be_deleted() {
    let sync = with_one_visit().await;
    let ahead = "UPDATE practiceq_visits SET read_at = read_at + interval '20 days'";
    sync.clinic.sql(ahead).await;
    sync.upstream.edit("a1", |row| row["LocationName"] = json!("Elsewhere"));
    assert_eq!(totals(&sync.sweep().await)[1], 1, "it is not older than what is stored");
    sync.clinic.sql(ahead).await;
    sync.upstream.delete("a1");
    assert_eq!(sync.sweep().await.count("deleted"), 1);
    // And what was deleted in the future comes back.
    sync.clinic.sql("UPDATE practiceq_visits SET deleted_at = deleted_at + interval '20 days'").await;
    sync.upstream.restore("a1");
    sync.sweep().await;
    assert_eq!(sync.stored("a1").await["deleted_at"], json!(null));
    // Nor does it hide from a sweep that misses it.
    sync.clinic.sql(ahead).await;
    sync.upstream.vanish("a1");
    sync.sweep().await;
    assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_visits WHERE missed_sweep IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_patient_is_not_fresh_from_the_future_on() {
    let sync = with_one_visit().await;
    sync.clinic.sql("UPDATE practiceq_freshness SET fresh_since = clock_timestamp() + interval '20 days'").await;
    sync.sweep().await;
    let ahead = "SELECT count(*) FROM practiceq_freshness WHERE fresh_since > clock_timestamp()";
    assert_eq!(sync.clinic.count(ahead).await, 0);
}
