//! Deleted is not cancelled, and absence is not proof.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, columns, millis, skipped, totals};
use crate::support::practiceq::{Fault, Sync, appointment};

/// Pat, with so many visits that have been imported: a000, a001, ...
async fn imported(visits: usize) -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for number in 0..visits {
        sync.upstream.put(appointment(&visit(number), &PAT, LATER));
    }
    assert_eq!(totals(&sync.sweep().await)[0], visits as u64);
    sync.upstream.clear_requests();
    sync
}

fn visit(number: usize) -> String {
    format!("a{number:03}")
}

impl Sync {
    async fn holding(&self, condition: &str) -> i64 {
        self.clinic.count(&format!("SELECT count(*) FROM practiceq_visits WHERE {condition}")).await
    }

    async fn deleted(&self) -> i64 {
        self.holding("deleted_at IS NOT NULL").await
    }

    async fn missed(&self) -> i64 {
        self.holding("missed_sweep IS NOT NULL").await
    }
}

#[tokio::test]
async fn what_the_account_lists_as_deleted_is_deleted_and_not_cancelled() {
    for lane in [&[][..], &["--incremental"]] {
        let sync = imported(3).await;
        sync.upstream.delete("a001");
        let outcome = sync.ends(0, lane).await;
        assert_eq!((outcome.count("deleted"), totals(&outcome)[..2].to_vec()), (1, vec![0, 0]), "{outcome:?}");
        let stored = sync.stored("a001").await;
        assert_eq!(columns(&stored, ["status", "cancelled_at"]), [json!("CONFIRMED"), Value::Null], "{stored}");
        assert!(!stored["deleted_at"].is_null(), "{stored}");
        assert_eq!(sync.deleted().await, 1);
        // It is listed for ten days.
        let before = sync.written().await;
        assert_eq!(sync.ends(0, lane).await.count("deleted"), 0);
        assert_eq!(sync.written().await, before);
    }
}

#[tokio::test]
async fn a_deletion_of_what_is_not_here_is_none() {
    let sync = imported(1).await;
    sync.upstream.put(appointment("b1", &PAT, LATER));
    sync.upstream.delete("b1");
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("deleted"), totals(&outcome)[0]), (0, 0), "{outcome:?}");
    assert_eq!(sync.visits().await.len(), 1);
}

#[tokio::test]
async fn what_two_complete_sweeps_miss_is_asked_for_and_deleted_only_then() {
    let sync = imported(3).await;
    sync.upstream.vanish("a001");
    assert_eq!(sync.ends(0, &["--incremental"]).await.count("deleted"), 0);
    assert_eq!(sync.missed().await, 0, "an incremental run sees what changed, not what is there");
    let first = sync.sweep().await;
    assert_eq!((first.count("deleted"), sync.deleted().await, sync.asked_by_id("a001")), (0, 0, 0), "{first:?}");
    assert_eq!(sync.stored("a001").await["missed_sweep"], first.report()["sync_log_id"]);
    let second = sync.sweep().await;
    assert_eq!((second.count("deleted"), sync.deleted().await, sync.asked_by_id("a001")), (1, 1, 1), "{second:?}");
    assert_eq!(sync.stored("a001").await["status"], "CONFIRMED");
    assert_eq!(sync.sweep().await.count("deleted"), 0);
    assert_eq!(sync.asked_by_id("a001"), 1, "and that is the end of it");
}

#[tokio::test]
async fn what_was_missed_once_and_seen_again_was_never_gone() {
    let sync = imported(3).await;
    for _ in 0..3 {
        sync.upstream.vanish("a001");
        sync.sweep().await;
        assert_eq!(sync.missed().await, 1);
        sync.upstream.restore("a001");
        sync.sweep().await;
        assert_eq!((sync.missed().await, sync.deleted().await), (0, 0));
    }
    assert_eq!(sync.asked_by_id("a001"), 0);
    // A refresh of its patient sees it, too.
    sync.upstream.vanish("a001");
    sync.sweep().await;
    sync.upstream.restore("a001");
    sync.ends(0, &["--appointment", "a001"]).await;
    assert_eq!(sync.missed().await, 0);
    sync.upstream.vanish("a001");
    sync.sweep().await;
    assert_eq!(sync.deleted().await, 0);
}

#[tokio::test]
async fn what_was_missed_twice_and_is_there_all_the_same_is_stored_as_it_is() {
    let sync = imported(3).await;
    // Put off for a year, which the account has not noted as a change: no window has it, nor any list of changes.
    let mut newer = appointment("b1", &PAT, LATER);
    newer["LastModified"] = json!(millis("2026-03-01T12:00:00Z"));
    sync.upstream.put(newer);
    sync.sweep().await;
    let mut moved = appointment("a001", &PAT, "2027-03-10T18:00:00Z");
    moved["ServiceName"] = json!("Put off");
    sync.upstream.put(moved);
    sync.sweep().await;
    assert_eq!(
        (sync.missed().await, sync.stored("a001").await["service_name"].clone()),
        (1, json!("Canary follow-up"))
    );
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("deleted"), totals(&outcome)[1], sync.asked_by_id("a001")), (0, 1, 1), "{outcome:?}");
    let stored = sync.stored_as("a001", ["starts_at", "service_name", "missed_sweep", "deleted_at"]).await;
    assert_eq!(stored, [json!("2027-03-10T18:00:00+00:00"), json!("Put off"), Value::Null, Value::Null]);
    sync.sweep().await;
    assert_eq!((sync.missed().await, sync.asked_by_id("a001")), (0, 1), "outside of the window nobody misses it");
}

#[tokio::test]
async fn only_what_surely_lay_in_the_window_is_missed() {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    // The window is from 2025-12-02 to 2026-05-31.
    let visits = [
        ("a1", "2025-12-02T18:00:00Z", false),
        ("a2", "2025-12-03T18:00:00Z", false),
        ("a3", "2025-12-06T18:00:00Z", true),
        ("a4", "2026-03-02T18:00:00Z", true),
        ("a5", "2026-05-27T18:00:00Z", true),
        ("a6", "2026-05-30T18:00:00Z", false),
        ("a7", "2026-05-31T18:00:00Z", false),
        ("a8", "2026-06-10T18:00:00Z", false),
        ("a9", "2025-11-20T18:00:00Z", false),
    ];
    for (visit, instant, _) in visits {
        sync.upstream.put(appointment(visit, &PAT, instant));
    }
    // A wider window has all of them.
    assert_eq!(totals(&sync.ends(0, &["--back-days", "200", "--ahead-days", "200"]).await)[0], 9);
    for (visit, ..) in visits {
        sync.upstream.vanish(visit);
    }
    sync.sweep().await;
    for (visit, _, missed) in visits {
        assert_eq!(!sync.stored(visit).await["missed_sweep"].is_null(), missed, "{visit}");
    }
    assert_eq!(sync.sweep().await.count("deleted"), 3);
}

#[tokio::test]
async fn a_sweep_that_did_not_read_every_page_judges_nothing_by_absence() {
    let sync = imported(150).await;
    sync.upstream.vanish("a001");
    // The second page fails; the next run goes on with it, and has not seen the first.
    sync.upstream.fault(&[Fault::None, Fault::Status(400)]);
    for code in [3, 0] {
        sync.ends(code, &[]).await;
        assert_eq!((sync.missed().await, sync.deleted().await), (0, 0), "{code}");
    }
    sync.sweep().await;
    assert_eq!((sync.missed().await, sync.deleted().await), (1, 0));
    // Missed once, and now only half of it is read again.
    sync.upstream.fault(&[Fault::None, Fault::Status(400)]);
    for code in [3, 0] {
        sync.ends(code, &[]).await;
        assert_eq!((sync.missed().await, sync.deleted().await, sync.asked_by_id("a001")), (1, 0, 0), "{code}");
    }
    assert_eq!(sync.sweep().await.count("deleted"), 1);
}

#[tokio::test]
async fn a_tenth_of_the_window_or_five_may_be_deleted_and_one_more_stops_the_run() {
    for (live, most) in [(20, 5), (59, 5), (60, 6), (79, 7), (80, 8)] {
        let sync = imported(live).await;
        for number in 0..=most {
            sync.upstream.delete(&visit(number));
        }
        let before = sync.written().await;
        sync.braked(&[]).await;
        sync.braked(&["--incremental"]).await;
        assert_eq!(sync.written().await, before, "{live}: nothing was deleted");
        sync.upstream.restore(&visit(0));
        let outcome = sync.sweep().await;
        assert_eq!((outcome.count("deleted"), sync.deleted().await), (most as u64, most as i64), "{live}");
    }
}

#[tokio::test]
async fn a_tenth_of_the_window_or_five_may_be_missing_and_one_more_stops_the_run() {
    for (live, most) in [(20, 5), (59, 5), (60, 6), (79, 7), (80, 8)] {
        let sync = imported(live).await;
        for number in 0..=most {
            sync.upstream.vanish(&visit(number));
        }
        sync.braked(&[]).await;
        assert_eq!((sync.missed().await, sync.deleted().await), (0, 0), "{live}");
        sync.upstream.restore(&visit(0));
        sync.sweep().await;
        assert_eq!((sync.missed().await, sync.deleted().await), (most as i64, 0), "{live}");
        let outcome = sync.sweep().await;
        assert_eq!((outcome.count("deleted"), sync.deleted().await), (most as u64, most as i64), "{live}");
    }
}

#[tokio::test]
async fn an_account_that_is_suddenly_empty_empties_no_chart_and_the_admins_hear_of_it() {
    let sync = imported(30).await;
    let second = sync.clinic.user(sync.facility, "HOSPITAL_ADMIN").await;
    let gone = sync.clinic.user(sync.facility, "HOSPITAL_ADMIN").await;
    sync.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    for number in 0..30 {
        sync.upstream.vanish(&visit(number));
    }
    let told = "SELECT jsonb_agg(n(recipient_id) ORDER BY n(recipient_id)) FROM notifications
                WHERE type = 'JOB_FAILING' AND recipient_kind = 'USER'";
    for _ in 0..3 {
        sync.braked(&[]).await;
        assert_eq!((sync.missed().await, sync.deleted().await), (0, 0));
        assert_eq!(sync.one(told).await, json!([sync.admin, second]), "at once, and once a day");
    }
    sync.clinic.sql("DELETE FROM notifications").await;
    let dry = sync.run(&["--dry-run"]).await.report();
    assert!(dry["would_brake"].as_str().is_some_and(|why| why.contains("30 of 30 visits")), "{dry}");
    assert_eq!((sync.missed().await, sync.deleted().await), (0, 0), "it changes nothing");
    assert_eq!(sync.one(told).await, Value::Null, "of a dry run nobody is told");
    let run = sync.clinic.json("SELECT status, error_code FROM cron_job_runs ORDER BY started_at DESC LIMIT 1").await;
    assert_eq!(run, json!({"status": "FAILED", "error_code": "BRAKE"}));
    let logs = "SELECT count(*) FROM sync_logs WHERE status = 'in_progress'";
    assert_eq!(sync.clinic.count(logs).await, 0, "each run has closed its row");
}

#[tokio::test]
async fn a_number_of_ones_own_takes_the_place_of_the_tenth() {
    let sync = imported(20).await;
    for number in 0..8 {
        sync.upstream.delete(&visit(number));
    }
    sync.braked(&["--max-items", "7"]).await;
    assert_eq!(sync.deleted().await, 0);
    assert_eq!(sync.ends(0, &["--max-items", "8"]).await.count("deleted"), 8);
    for number in 10..13 {
        sync.upstream.vanish(&visit(number));
    }
    sync.braked(&["--max-items", "2"]).await;
    assert_eq!(sync.missed().await, 0);
    sync.ends(0, &["--max-items", "3"]).await;
    assert_eq!(sync.missed().await, 3);
    sync.braked(&["--max-items", "2"]).await;
    assert_eq!(sync.deleted().await, 8);
    assert_eq!(sync.ends(0, &["--max-items", "3"]).await.count("deleted"), 3);
}

#[tokio::test]
async fn a_run_asks_for_fifty_of_the_missing_at_most() {
    let sync = imported(120).await;
    for number in 0..60 {
        sync.upstream.vanish(&visit(number));
    }
    let args = ["--max-items", "60"];
    sync.ends(0, &args).await;
    assert_eq!((sync.missed().await, sync.deleted().await), (60, 0));
    assert_eq!(sync.ends(0, &args).await.count("deleted"), 50);
    assert_eq!(sync.ends(0, &args).await.count("deleted"), 10);
    assert_eq!(sync.deleted().await, 60);
}

#[tokio::test]
async fn what_the_account_shows_again_is_brought_back() {
    let sync = imported(3).await;
    sync.upstream.delete("a000");
    sync.upstream.vanish("a001");
    for _ in 0..2 {
        sync.sweep().await;
    }
    assert_eq!(sync.deleted().await, 2);
    let id = sync.stored("a000").await["id"].clone();
    sync.upstream.restore("a000");
    sync.upstream.restore("a001");
    let outcome = sync.sweep().await;
    assert_eq!(totals(&outcome)[..2], [0, 2], "{outcome:?}");
    assert_eq!(sync.stored_as("a000", ["id", "deleted_at"]).await, [id, Value::Null], "the same row");
    assert_eq!((sync.deleted().await, sync.missed().await), (0, 0));
    let before = sync.written().await;
    sync.sweep().await;
    assert_eq!(sync.written().await, before);
}

#[tokio::test]
async fn a_visit_asked_for_by_its_id_that_is_not_there_is_deleted() {
    let sync = imported(2).await;
    assert_eq!(totals(&sync.ends(0, &["--appointment", "a000"]).await)[..2], [0, 0]);
    sync.upstream.vanish("a000");
    assert_eq!(sync.ends(0, &["--appointment", "a000"]).await.count("deleted"), 1);
    assert_eq!(sync.deleted().await, 1);
    sync.upstream.restore("a000");
    assert_eq!(totals(&sync.ends(0, &["--appointment", "a000"]).await)[1], 1);
    assert_eq!(sync.deleted().await, 0);
}

#[tokio::test]
async fn an_id_that_nobody_has_is_refused() {
    let sync = imported(1).await;
    for more in [&[][..], &["--dry-run"]] {
        let report = sync.run(&[&["--appointment", "zz9"], more].concat()).await.expect(2).report();
        assert_eq!(report["error_code"], "UNKNOWN_APPOINTMENT", "{report}");
        let why = report["error_message"].as_str().expect("a text");
        assert!(why.contains("PracticeQ has no appointment zz9"), "{why}");
    }
    let run = sync.clinic.json("SELECT status FROM cron_job_runs WHERE lane = 'appointment:zz9'").await;
    assert_eq!(run["status"], "SKIPPED");
    assert_eq!(sync.logs().await.last().map(String::as_str), Some("failed"));
    // One that the clinic had, and the account has deleted, is known: nothing is left to do.
    sync.upstream.vanish("a000");
    assert_eq!(sync.ends(0, &["--appointment", "a000"]).await.count("deleted"), 1);
    assert_eq!(sync.ends(0, &["--appointment", "a000"]).await.count("deleted"), 0);
    // One that waits for a person is known as well, until it is forgotten.
    sync.upstream.put(appointment("q1", &ANN, LATER));
    sync.sweep().await;
    sync.upstream.vanish("q1");
    sync.ends(0, &["--appointment", "q1"]).await;
    assert_eq!(sync.run(&["--appointment", "q1"]).await.expect(2).report()["error_code"], "UNKNOWN_APPOINTMENT");
}

#[tokio::test]
async fn a_refresh_of_a_patient_asks_for_what_is_to_come_and_was_not_in_the_answer() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    for (visit, instant) in [
        ("past", "2026-02-27T18:00:00Z"),
        ("today", "2026-03-02T20:00:00Z"),
        ("later", LATER),
        ("beyond", "2026-09-01T18:00:00Z"),
        ("there", LATER),
    ] {
        sync.upstream.put(appointment(visit, &PAT, instant));
    }
    sync.ends(0, &["--ahead-days", "300"]).await;
    for visit in ["past", "today", "later", "beyond"] {
        sync.upstream.vanish(visit);
    }
    let outcome = sync.ends(0, &["--patient", &pat.to_string()]).await;
    assert_eq!(outcome.count("deleted"), 2, "{outcome:?}");
    for (visit, asked) in [("past", 0), ("today", 1), ("later", 1), ("beyond", 0), ("there", 0)] {
        assert_eq!(sync.asked_by_id(visit), asked, "{visit}");
        assert_eq!(!sync.stored(visit).await["deleted_at"].is_null(), asked == 1, "{visit}");
    }
}

#[tokio::test]
async fn a_refresh_of_a_patient_asks_for_ten_by_id_at_most() {
    let sync = imported(13).await;
    for number in 0..12 {
        sync.upstream.vanish(&visit(number));
    }
    let lane = ["--patient", "1", "--max-items", "100"];
    for deleted in [10, 12, 12] {
        sync.ends(0, &lane).await;
        assert_eq!(sync.deleted().await, deleted);
    }
}

#[tokio::test]
async fn an_id_of_odd_letters_is_asked_for_as_it_is() {
    let sync = imported(1).await;
    let odd = "a b/\u{e9}?x=1&y#%2e..";
    sync.upstream.put(appointment(odd, &PAT, LATER));
    sync.sweep().await;
    sync.upstream.vanish(odd);
    sync.sweep().await;
    assert_eq!(sync.sweep().await.count("deleted"), 1);
    assert_eq!(sync.asked_by_id(odd), 1, "{:?}", sync.asked_for());
}

#[tokio::test]
async fn a_deletion_waits_while_somebody_holds_the_visit() {
    let sync = imported(2).await;
    sync.upstream.delete("a000");
    sync.clinic.sql("BEGIN; SELECT FROM appointments WHERE external_id = 'a000' FOR NO KEY UPDATE").await;
    let outcome = sync.sweep().await;
    assert_eq!((outcome.count("deleted"), skipped(&outcome, "locked")), (0, 1), "{outcome:?}");
    sync.clinic.sql("COMMIT").await;
    assert_eq!(sync.sweep().await.count("deleted"), 1);
}

#[tokio::test]
async fn what_waits_for_a_person_and_is_gone_without_a_trace_is_forgotten() {
    let sync = imported(1).await;
    for (id, starts_at) in [("w1", LATER), ("w2", LATER), ("edge", "2025-12-03T18:00:00Z")] {
        sync.upstream.put(appointment(id, &ANN, starts_at));
    }
    let all_kept = ["--keep-unmatched", "400d"];
    assert_eq!(sync.ends(0, &all_kept).await.count("unmatched"), 3);
    sync.upstream.vanish("w1");
    sync.upstream.vanish("edge");
    sync.ends(0, &[&["--incremental"][..], &all_kept].concat()).await;
    let waiting = "SELECT string_agg(external_id, ' ' ORDER BY external_id) FROM practiceq_unmatched";
    assert_eq!(sync.one(waiting).await, "edge w1 w2", "an incremental run does not see what is there");
    sync.ends(0, &all_kept).await;
    assert_eq!(sync.one(waiting).await, "edge w2", "at the edge of the window it may still be there");
}

#[tokio::test]
async fn a_refresh_finds_that_a_visit_is_somebody_elses() {
    let sync = imported(2).await;
    let ann = sync.patient_of(&ANN).await;
    for number in 0..2 {
        sync.upstream.edit(&visit(number), |row| {
            (row["ClientId"], row["ClientName"]) = (json!(ANN.id), json!(ANN.name));
            (row["ClientEmail"], row["ClientDateOfBirth"]) = (json!(ANN.email), json!(ANN.date_of_birth));
        });
    }
    // One is in the answer all the same, since the match is partial; the other is asked for by its id.
    sync.upstream.edit("a000", |row| row["ClientName"] = json!("Ann Roe pat@home.example"));
    sync.ends(0, &["--patient", "1"]).await;
    assert_eq!(sync.whose().await, json!({"a000": ann, "a001": ann}));
}

#[tokio::test]
async fn a_time_to_come_does_not_hide_what_changes_now() {
    let sync = imported(2).await;
    sync.upstream.edit("a000", |_| ());
    let mut row = sync.upstream.row("a001");
    row["LastModified"] = json!(millis("2199-01-01T00:00:00Z"));
    sync.upstream.put(row);
    sync.sweep().await;
    sync.upstream.clear_requests();
    sync.ends(0, &["--incremental"]).await;
    assert_eq!(sync.upstream.requests()[0].query["updatedSince"], "2026-02-28");
}
