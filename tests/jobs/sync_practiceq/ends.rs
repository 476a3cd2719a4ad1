//! Where a list ends, and when a sweep is not taken for complete.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, totals};
use crate::support::practiceq::{Sync, appointment};

/// Pat, with so many visits in the account, which have not been read yet.
async fn with(visits: usize) -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..visits {
        sync.upstream.put(appointment(&visit(number), &PAT, LATER));
    }
    sync
}

fn visit(number: usize) -> String {
    format!("a{number:03}")
}

#[tokio::test]
async fn a_server_that_pages_by_fewer_rows_is_read_to_its_end() {
    for rows in [1, 7, 50, 60, 99] {
        let visits = if rows == 1 { 4 } else { 120 };
        for lane in [&[][..], &["--incremental"], &["--patient", "1"], &["--organization", "1"]] {
            let sync = with(visits).await;
            sync.upstream.page_by(rows);
            assert_eq!(totals(&sync.ends(0, lane).await)[0], visits as u64, "{rows} {lane:?}");
        }
    }
}

#[tokio::test]
async fn the_deletions_are_read_to_their_end_as_well() {
    let sync = with(40).await;
    sync.sweep().await;
    sync.upstream.page_by(2);
    for number in 0..4 {
        sync.upstream.delete(&visit(number));
    }
    sync.sweep().await;
    assert_eq!(sync.whose().await.as_object().map(serde_json::Map::len), Some(36));
}

#[tokio::test]
async fn a_size_of_pages_that_has_changed_is_noticed_by_the_next_sweep() {
    let sync = with(250).await;
    sync.sweep().await;
    assert_eq!(sync.one("SELECT page_rows FROM practiceq_state").await, 100);
    sync.upstream.page_by(50);
    for number in 250..320 {
        sync.upstream.put(appointment(&visit(number), &PAT, LATER));
    }
    assert_eq!(totals(&sync.sweep().await), [70, 0, 250, 0]);
    assert_eq!(sync.one("SELECT page_rows FROM practiceq_state").await, 50);
    for number in 320..390 {
        sync.upstream.put(appointment(&visit(number), &PAT, LATER));
    }
    let since = "UPDATE practiceq_state SET watermark = '2026-02-20T12:00:00Z'";
    sync.clinic.sql(since).await;
    assert_eq!(totals(&sync.ends(0, &["--incremental"]).await)[0], 70);
}

#[tokio::test]
async fn a_server_that_knows_no_pages_is_read_once() {
    let sync = with(60).await;
    sync.upstream.ignore_page();
    assert_eq!(totals(&sync.sweep().await)[0], 60);
    assert_eq!(totals(&sync.ends(0, &["--incremental"]).await), [0, 0, 60, 0]);
}

#[tokio::test]
async fn the_proof_costs_a_request_only_where_nothing_is_known_of_the_pages() {
    let sync = with(120).await;
    sync.sweep().await;
    sync.upstream.clear_requests();
    let few = "UPDATE practiceq_state SET watermark = '2026-03-02T12:00:00Z'";
    sync.clinic.sql(few).await;
    sync.upstream.edit(&visit(1), |row| row["ServiceName"] = json!("Another"));
    sync.upstream.delete(&visit(2));
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(sync.pages(), [1, 1], "changes and deletions, a page each");
    sync.upstream.clear_requests();
    sync.ends(0, &["--patient", "1"]).await;
    assert_eq!(sync.pages(), [1, 2]);
}

/// An account of clients who are nobody's, but for a few: the brake on visits would not see them go.
async fn mostly_nobodys(all: usize) -> Sync {
    let sync = with(3).await;
    for number in 3..all {
        sync.upstream.put(appointment(&visit(number), &ANN, LATER));
    }
    sync.sweep().await;
    sync
}

#[tokio::test]
async fn a_window_that_has_lost_more_than_half_is_not_taken_for_complete() {
    let sync = mostly_nobodys(20).await;
    let waiting = "SELECT count(*) FROM practiceq_unmatched";
    let state = "SELECT to_jsonb(s) - 'watermark' FROM practiceq_state s";
    let before = sync.one(state).await;
    for number in (2..3).chain(4..14) {
        sync.upstream.vanish(&visit(number));
    }
    sync.upstream.delete(&visit(1));
    for _ in 0..2 {
        let report = sync.run(&[]).await.expect(5).report();
        let why = report["error_message"].as_str().expect("a text");
        assert!(why.contains("has 8 appointments now") && why.contains("read 20"), "{why}");
        assert!(why.contains("--max-items 2"), "{why}");
        assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_visits WHERE missed_sweep IS NOT NULL").await, 0);
        assert_eq!(sync.whose().await.as_object().map(serde_json::Map::len), Some(3), "nothing is deleted");
        assert_eq!((sync.clinic.count(waiting).await, sync.one(state).await), (17, before.clone()));
    }
    let told = "SELECT count(*) FROM notifications WHERE type = 'JOB_FAILING'";
    assert_eq!(sync.clinic.count(told).await, 1);
    let dry = sync.run(&["--dry-run"]).await.report();
    assert!(dry["would_brake"].as_str().is_some_and(|why| why.contains("8 appointments")), "{dry}");
    // A person says that it is so.
    let outcome = sync.ends(0, &["--max-items", "2"]).await;
    assert_eq!((outcome.count("deleted"), sync.clinic.count(waiting).await), (1, 7), "{outcome:?}");
    assert_eq!(sync.one("SELECT sweep_rows FROM practiceq_state").await, 8);
    sync.sweep().await;
}

#[tokio::test]
async fn half_of_the_window_or_few_of_a_few_may_go() {
    for (all, left, complete) in [(20, 10, true), (20, 9, false), (8, 3, true), (9, 3, false)] {
        let sync = mostly_nobodys(all).await;
        for number in left..all {
            sync.upstream.vanish(&visit(number));
        }
        let outcome = sync.run(&[]).await.expect(if complete { 0 } else { 5 });
        let rows = sync.one("SELECT sweep_rows FROM practiceq_state").await;
        assert_eq!(rows, json!(if complete { left } else { all }), "{all} {left}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_window_of_other_days_is_another_window() {
    let sync = mostly_nobodys(20).await;
    let narrow = ["--back-days", "1", "--ahead-days", "1"];
    sync.ends(0, &narrow).await;
    assert_eq!(sync.one("SELECT sweep_days FROM practiceq_state").await, "1+1");
    sync.sweep().await;
    let rows = sync.clinic.json("SELECT sweep_days AS days, sweep_rows AS rows FROM practiceq_state").await;
    assert_eq!(rows, json!({"days": "90+90", "rows": 20}));
    // An incremental run reads no window, and says nothing of it.
    for number in 4..20 {
        sync.upstream.vanish(&visit(number));
    }
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(
        sync.one("SELECT sweep FROM practiceq_state").await,
        sync.one("SELECT max(id) - 1 FROM sync_logs").await
    );
    assert_ne!(sync.one("SELECT sweep_rows FROM practiceq_state").await, Value::Null);
}
