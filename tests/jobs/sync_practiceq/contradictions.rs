//! What the account lists as deleted and has all the same stays, is told of once, and costs few requests.

use serde_json::{Value, json};

use super::words::{ANN, PAT, totals};
use crate::support::practiceq::{Fault, Sync, appointment};
use crate::support::program;

/// This afternoon: whoever has to know is told.
const TODAY: &str = "2026-03-02T20:00:00Z";

/// Pat, with so many visits that have been imported: a0, a1, ...
async fn imported(visits: usize) -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..visits {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, TODAY));
    }
    assert_eq!(totals(&sync.sweep().await)[0], visits as u64);
    sync.upstream.clear_requests();
    sync
}

impl Sync {
    async fn is_deleted(&self, visit: &str) -> bool {
        !self.stored(visit).await["deleted_at"].is_null()
    }

    /// What the case managers were told, in order.
    async fn titles(&self) -> Vec<String> {
        let rows = self.clinic.rows("SELECT title FROM notifications ORDER BY id").await;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The list of changes is empty.
    async fn nothing_changed(&self) {
        self.clinic.sql("UPDATE practiceq_state SET watermark = '2026-03-02T12:00:00Z'").await;
    }

    /// Lets so much time pass since the account was asked for what it lists wrongly.
    async fn found_ago(&self, interval: &str) {
        let update = format!("UPDATE practiceq_contradictions SET found_at = found_at - interval '{interval}'");
        self.clinic.sql(&update).await;
    }
}

#[tokio::test]
async fn a_visit_that_is_live_and_listed_as_deleted_stays_and_nobody_is_told() {
    let sync = imported(3).await;
    sync.upstream.contradict("a1");
    let before = sync.written().await;
    for lane in [&[][..], &["--incremental"], &[], &["--incremental"], &["--incremental"]] {
        let outcome = sync.ends(0, lane).await;
        assert_eq!((outcome.count("deleted"), totals(&outcome)[1]), (0, 0), "{lane:?}: {outcome:?}");
        assert_eq!(sync.written().await, before, "{lane:?}");
    }
    assert_eq!(sync.titles().await, [""; 0]);
    assert_eq!(sync.asked_by_id("a1"), 1, "it is asked for once, and not by each run");
}

#[tokio::test]
async fn more_of_them_than_the_brake_lets_pass_stop_nobody() {
    let sync = imported(20).await;
    for number in 0..8 {
        sync.upstream.contradict(&format!("a{number}"));
    }
    sync.upstream.delete("a19");
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("deleted"), sync.is_deleted("a19").await), (1, true), "{outcome:?}");
    assert_eq!(sync.whose().await.as_object().expect("visits").len(), 19);
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(sync.titles().await, ["Visit deleted"], "of the one that is gone");
}

#[tokio::test]
async fn where_the_lists_contradict_the_visit_itself_says_whether_it_is_there() {
    let sync = imported(2).await;
    // It is deleted while the run reads: the live list still had it.
    sync.upstream.between_pages(|state, _| {
        if state.requests().last().is_some_and(|request| request.query.contains_key("deletedOnly")) {
            state.delete("a1");
        }
    });
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("deleted"), sync.asked_by_id("a1")), (1, 1), "{outcome:?}");
    assert!(sync.is_deleted("a1").await);
    assert_eq!(sync.titles().await, ["Visit deleted"]);
}

#[tokio::test]
async fn what_was_found_to_be_there_is_asked_for_again_when_it_may_have_changed() {
    let sync = imported(2).await;
    sync.upstream.contradict("a1");
    sync.sweep().await;
    assert_eq!(sync.asked_by_id("a1"), 1);
    // Hours later it may be gone.
    sync.found_ago("7 hours").await;
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(sync.asked_by_id("a1"), 2);
    sync.upstream.delete("a1");
    assert_eq!(sync.ends(0, &["--incremental"]).await.count("deleted"), 0, "it was there a moment ago");
    // A sweep does not see it, and so asks at once.
    assert_eq!(sync.sweep().await.count("deleted"), 1);
    assert_eq!(sync.asked_by_id("a1"), 3);
}

#[tokio::test]
async fn a_deletion_that_is_later_than_the_finding_is_asked_about_at_once() {
    let sync = imported(2).await;
    sync.upstream.contradict("a1");
    sync.sweep().await;
    let now: i64 = sync.clinic.row("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[]).await.get(0);
    let mut row = sync.upstream.row("a1");
    row["LastModified"] = json!(now + 60_000);
    sync.upstream.put(row);
    sync.upstream.delete("a1");
    let outcome = sync.ends(0, &["--incremental"]).await;
    assert_eq!((outcome.count("deleted"), sync.asked_by_id("a1")), (1, 2), "{outcome:?}");
}

#[tokio::test]
async fn what_is_deleted_and_restored_is_told_once_each() {
    let sync = imported(2).await;
    sync.upstream.delete("a1");
    sync.ends(0, &["--incremental"]).await;
    sync.upstream.edit("a1", |_| ());
    sync.upstream.contradict("a1");
    for lane in [&["--incremental"][..], &[], &["--incremental"], &[]] {
        sync.ends(0, lane).await;
        assert!(!sync.is_deleted("a1").await, "{lane:?}");
    }
    assert_eq!(sync.titles().await, ["Visit deleted", "Visit takes place after all"]);
}

#[tokio::test]
async fn a_list_of_changes_alone_does_not_contradict_for_ever() {
    // An account that was synced by an earlier version: an incremental run cannot know that the list is wrong.
    let sync = imported(2).await;
    sync.nothing_changed().await;
    sync.upstream.contradict("a1");
    for lane in [&["--incremental"][..], &[], &["--incremental"], &[], &["--incremental"]] {
        sync.ends(0, lane).await;
    }
    assert!(!sync.is_deleted("a1").await);
    assert_eq!(sync.titles().await, ["Visit deleted", "Visit takes place after all"], "once each, and not by each run");
}

#[tokio::test]
async fn what_waits_for_a_person_keeps_its_number_while_the_account_contradicts_itself() {
    let sync = imported(1).await;
    sync.upstream.put(appointment("q1", &ANN, TODAY));
    sync.sweep().await;
    let id = sync.one("SELECT id FROM practiceq_unmatched").await;
    sync.upstream.contradict("q1");
    for lane in [&[][..], &["--incremental"], &[]] {
        sync.ends(0, lane).await;
        assert_eq!(sync.one("SELECT id FROM practiceq_unmatched").await, id, "{lane:?}");
    }
    sync.upstream.delete("q1");
    sync.sweep().await;
    assert_eq!(sync.one("SELECT id FROM practiceq_unmatched").await, Value::Null);
}

#[tokio::test]
async fn a_list_that_is_older_than_another_lanes_reading_deletes_nothing() {
    let sync = imported(2).await;
    sync.nothing_changed().await;
    sync.upstream.delete("a1");
    // The list of deletions was made, and is on its way.
    sync.upstream.fault(&[Fault::None, Fault::HeldBody]);
    let asked = sync.upstream.requests().len();
    let run = sync.start(&["--incremental"]);
    sync.upstream.asked(asked + 2).await;
    sync.upstream.restore("a1");
    sync.ends(0, &["--appointment", "a1"]).await;
    sync.upstream.let_go();
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.count("deleted"), 0, "{outcome:?}");
    assert!(!sync.is_deleted("a1").await);
    assert_eq!(sync.titles().await, [""; 0]);
    assert_eq!(sync.asked_by_id("a1"), 2, "the run asked for it itself");
}

#[tokio::test]
async fn what_was_found_long_ago_is_forgotten() {
    let sync = imported(3).await;
    sync.upstream.contradict("a1");
    sync.sweep().await;
    sync.found_ago("31 days").await;
    sync.upstream.restore("a1");
    sync.upstream.contradict("a2");
    sync.sweep().await;
    let kept = "SELECT string_agg(external_id, ' ') FROM practiceq_contradictions";
    assert_eq!(sync.one(kept).await, "a2");
}
