//! The account's limits: never exceeded by all processes together in any minute or day, by the requests as they came.

use std::time::{Duration, Instant};

use serde_json::json;

use super::crowd::{CROWD, stopped};
use super::words::{balanced, totals};
use crate::support::connect;
use crate::support::practiceq::{Fault, Sync};
use crate::support::program::{self, Outcome};
use crate::support::server;

/// One request, by a person.
const ONE: [&str; 2] = ["--appointment", "v000"];

/// Whether a person waited for it.
const MANUAL: bool = true;
const SCHEDULED: bool = false;

impl Sync {
    /// So many requests that were sent so long ago.
    async fn sent(&self, requests: i32, ago: &str, manual: bool) {
        self.clinic
            .sql(&format!(
                "INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
                 SELECT 'practiceq', clock_timestamp() - interval '{ago}', {manual}, 'earlier', gen_random_uuid()
                 FROM generate_series(1, {requests})"
            ))
            .await;
    }

    /// The seconds between the last request of before and the first that a run has sent.
    async fn waited(&self) -> f64 {
        let query = "SELECT extract(epoch FROM min(requested_at) FILTER (WHERE purpose <> 'earlier')
                                             - max(requested_at) FILTER (WHERE purpose = 'earlier'))::float8
                     FROM api_requests";
        self.clinic.row(query, &[]).await.get(0)
    }

    /// When each request was counted, in seconds, in order.
    async fn counted(&self, which: &str) -> Vec<f64> {
        let query = format!(
            "SELECT extract(epoch FROM requested_at)::float8 FROM api_requests WHERE {which} ORDER BY requested_at"
        );
        self.clinic.rows(&query).await.iter().map(|row| row.get(0)).collect()
    }

    /// Runs with these limits a minute and a day, which ends so.
    async fn limited(&self, code: i32, limits: [&str; 2], more: &[&str]) -> Outcome {
        let limits = ["--requests-per-minute", limits[0], "--requests-per-day", limits[1]];
        self.ends_with(code, &[&limits[..], more].concat()).await
    }

    /// Starts one and goes on.
    fn start_limited(&self, limits: [&str; 2], more: &[&str]) -> tokio::process::Child {
        let limits = ["--requests-per-minute", limits[0], "--requests-per-day", limits[1]];
        self.start(&[&limits[..], more].concat())
    }
}

/// Fails if any stretch of so many seconds had more than the limit.
#[track_caller]
fn holds(times: &[f64], seconds: f64, limit: usize) {
    for (earlier, later) in times.iter().zip(times.iter().skip(limit)) {
        assert!(later - earlier >= seconds, "more than {limit} in {seconds} s: {times:?}");
    }
}

#[tokio::test]
async fn a_minute_is_sixty_two_seconds() {
    for (ago, at_least, at_most) in [("61 s", 62.0, 66.0), ("63 s", 63.0, 67.0), ("59 s", 62.0, 66.0)] {
        let sync = Sync::with_visits(1).await;
        sync.sent(1, ago, MANUAL).await;
        sync.limited(0, ["1", "1000"], &ONE).await;
        let waited = sync.waited().await;
        assert!((at_least..at_most).contains(&waited), "{ago}: {waited}");
    }
}

#[tokio::test]
async fn a_day_is_a_minute_longer() {
    for (ago, at_least) in [("24 h 59 s", 86_460.0), ("24 h 61 s", 86_461.0), ("24 h 57 s", 86_460.0)] {
        let sync = Sync::with_visits(1).await;
        sync.sent(1, ago, SCHEDULED).await;
        sync.limited(0, ["1000", "1"], &ONE).await;
        let waited = sync.waited().await;
        assert!((at_least..at_least + 4.0).contains(&waited), "{ago}: {waited}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_in_time_is_not_waited_for() {
    let sync = Sync::with_visits(1).await;
    sync.sent(1, "10 s", MANUAL).await;
    for (limits, lane) in
        [(["1", "9"], &ONE[..]), (["1", "9"], &[]), (["9", "1"], &["--incremental"]), (["9", "1"], &[])]
    {
        let began = Instant::now();
        let outcome = sync.limited(1, limits, &[lane, &["--timeout", "20s", "--manual-share", "0"]].concat()).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{lane:?}: {:?}", began.elapsed());
        stopped(&outcome, "BUDGET");
        assert_eq!(outcome.count("requests"), 0, "{lane:?}");
    }
    assert!(sync.upstream.requests().is_empty());
    assert_eq!(sync.logs().await, ["failed"; 4]);
}

#[tokio::test]
async fn a_share_is_kept_for_people() {
    // Limit, share, requests of the schedule and of people before, and how many of the next five by the schedule pass.
    let cases = [
        (10, "20", 8, 0, 0),
        (10, "20", 7, 0, 1),
        (10, "20", 0, 8, 2),
        (10, "20", 4, 5, 1),
        (10, "20", 3, 7, 0),
        (9, "20", 7, 0, 0),
        (9, "20", 6, 0, 1),
        (3, "90", 0, 0, 1),
        (3, "90", 1, 0, 0),
        (1, "50", 0, 0, 1),
        (5, "0", 3, 0, 2),
    ];
    for (limit, share, scheduled, manual, passing) in cases {
        for day in [false, true] {
            let sync = Sync::with_visits(420).await;
            // Two hours ago is no matter of the minute.
            let ago = if day { "2 h" } else { "2 s" };
            sync.sent(scheduled, ago, SCHEDULED).await;
            sync.sent(manual, ago, MANUAL).await;
            let limit = limit.to_string();
            let limits = if day { ["1000", &limit] } else { [&*limit, "1000"] };
            let more = ["--manual-share", share, "--timeout", "20s"];
            let outcome = sync.limited(if passing == 0 { 1 } else { 3 }, limits, &more).await;
            stopped(&outcome, "BUDGET");
            let case = format!("limit {limit}, share {share}, {scheduled} and {manual} before, day {day}");
            assert_eq!(sync.upstream.requests().len(), passing, "{case}");
        }
    }
}

#[tokio::test]
async fn people_have_what_the_schedule_has_left() {
    for (scheduled, manual, passes) in [(8, 1, true), (8, 2, false), (0, 9, true), (0, 10, false), (10, 0, false)] {
        let sync = Sync::with_visits(1).await;
        sync.sent(scheduled, "2 s", SCHEDULED).await;
        sync.sent(manual, "2 s", MANUAL).await;
        let code = if passes { 0 } else { 1 };
        sync.limited(code, ["10", "1000"], &[&ONE[..], &["--timeout", "20s"]].concat()).await;
        assert_eq!(sync.upstream.requests().len(), usize::from(passes), "{scheduled} and {manual}");
    }
}

#[tokio::test]
async fn each_lane_says_whether_a_person_waits() {
    let sync = Sync::with_visits(1).await;
    let lanes: [(&[&str], bool); 5] = [
        (&[], SCHEDULED),
        (&["--incremental"], SCHEDULED),
        (&["--patient", "1"], MANUAL),
        (&["--organization", "1"], MANUAL),
        (&ONE, MANUAL),
    ];
    for (lane, manual) in lanes {
        sync.ends_with(0, lane).await;
        let query = "SELECT jsonb_agg(DISTINCT manual) AS m FROM api_requests q
                     WHERE run_id = (SELECT id FROM cron_job_runs ORDER BY started_at DESC LIMIT 1)";
        assert_eq!(sync.clinic.json(query).await["m"], json!([manual]), "{lane:?}");
    }
}

#[tokio::test]
async fn many_at_once_never_exceed_the_minute() {
    const LIMIT: usize = 8;
    let sync = Sync::with_visits(CROWD).await;
    for (number, ago) in ["61 s", "60 s", "58 s", "57 s", "55 s", "54 s", "53 s", "52 s"].iter().enumerate() {
        sync.sent(1, ago, number % 2 == 0).await;
    }
    let clock = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let offset: f64 = sync.clinic.row(clock, &[]).await.get(0);
    let began = Instant::now();
    let lanes: [&[&str]; 7] = [
        &[],
        &["--incremental"],
        &["--patient", "1"],
        &["--organization", "1"],
        &["--appointment", "v000"],
        &["--appointment", "v001"],
        &["--appointment", "v002"],
    ];
    let limit = LIMIT.to_string();
    let runs: Vec<_> = lanes
        .iter()
        .map(|lane| {
            sync.start_limited([&limit, "1000"], &[*lane, &["--timeout", "14s", "--manual-share", "30"]].concat())
        })
        .collect();
    for run in runs {
        let outcome = program::finish(run).await;
        assert!([0, 1, 3, 124].contains(&outcome.code), "{outcome:?}");
    }
    sync.tidy().await;
    let sent = sync.counted("purpose <> 'earlier'").await;
    assert!((6..=LIMIT).contains(&sent.len()), "as many as there was room for: {sent:?}");
    holds(&sync.counted("true").await, 62.0, LIMIT);
    holds(&sync.counted("NOT manual").await, 62.0, LIMIT * 7 / 10);

    let arrived: Vec<f64> =
        sync.upstream.requests().iter().map(|request| offset + (request.at - began).as_secs_f64()).collect();
    for (counted, arrived) in sent.iter().zip(&arrived) {
        assert!(arrived + 0.1 >= *counted, "counted before it is sent: {sent:?} {arrived:?}");
    }
    holds(&[sync.counted("purpose = 'earlier'").await, arrived].concat(), 60.0, LIMIT);
}

#[tokio::test]
async fn many_at_once_never_exceed_the_day() {
    let sync = Sync::with_visits(CROWD).await;
    sync.sent(5, "10 h", MANUAL).await;
    let ids: Vec<_> = (0..8).map(super::crowd::visit_id).collect();
    let mut runs: Vec<_> = [&[][..], &["--incremental"], &["--patient", "1"], &["--organization", "1"]]
        .iter()
        .map(|lane| sync.start_limited(["1000", "13"], lane))
        .collect();
    runs.extend(ids.iter().map(|id| sync.start_limited(["1000", "13"], &["--appointment", id])));
    for run in runs {
        let outcome = program::finish(run).await;
        assert!([0, 1, 3].contains(&outcome.code), "{outcome:?}");
    }
    sync.tidy().await;
    assert_eq!(sync.upstream.requests().len(), 8, "and not one less");
    assert!(sync.counted("NOT manual").await.len() <= 10);
}

#[tokio::test]
async fn a_day_that_is_used_up_ends_a_run_in_part_and_another_day_goes_on() {
    let sync = Sync::with_visits(CROWD).await;
    let limits = ["1000", "2"];
    let outcome = sync.limited(3, limits, &["--manual-share", "0"]).await;
    stopped(&outcome, "BUDGET");
    balanced(&outcome);
    assert_eq!((totals(&outcome)[0], outcome.count("failed")), (200, 1), "{outcome:?}");
    assert_eq!((outcome.count("pages"), outcome.count("requests")), (2, 2), "{outcome:?}");
    assert_eq!((sync.cursors().await, sync.pages()), (vec![("full".into(), 3)], vec![1, 2]));
    let outcome = sync.limited(1, limits, &["--manual-share", "0"]).await;
    stopped(&outcome, "BUDGET");
    assert_eq!(sync.cursors().await, [("full".to_owned(), 3)], "it is not forgotten");
    assert_eq!(sync.logs().await, ["partial_success", "failed"]);
    sync.pass("24 h 2 min").await;
    balanced(&sync.limited(0, limits, &["--manual-share", "0"]).await);
    assert_eq!((sync.cursors().await, sync.pages()), (vec![], vec![1, 2, 3, 1]));
    assert_eq!(sync.stored_visits().await, CROWD as i64);
    assert_eq!(sync.logs().await, ["partial_success", "failed", "completed"]);
}

#[tokio::test]
async fn what_is_tried_again_is_counted_again() {
    let sync = Sync::with_visits(1).await;
    sync.upstream.fault(&[Fault::Status(503), Fault::Drop]);
    let outcome = sync.limited(1, ["2", "1000"], &["--timeout", "20s", "--manual-share", "0"]).await;
    stopped(&outcome, "BUDGET");
    assert_eq!((outcome.count("requests"), sync.upstream.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_dry_run_is_counted_and_changes_nothing_else() {
    let sync = Sync::with_visits(CROWD).await;
    sync.ends_with(0, &[]).await;
    for number in 0..3 {
        sync.upstream.edit(&super::crowd::visit_id(number), |row| row["Status"] = json!("Canceled"));
    }
    sync.upstream.delete("v009");
    let before = sync.everything().await;
    for (lane, pages) in
        [(&[][..], 7), (&["--incremental"], 4), (&["--appointment", "v001"], 1), (&["--patient", "1"], 3)]
    {
        let (asked, rows) = (sync.upstream.requests().len(), sync.counted("true").await.len());
        let outcome = sync.ends_with(0, &[lane, &["--dry-run"]].concat()).await;
        let report = outcome.report();
        assert_eq!((&report["dry_run"], &report["sync_log_id"]), (&json!(true), &json!(null)), "{report}");
        let asked = sync.upstream.requests().len() - asked;
        assert!(asked >= pages, "{lane:?}: {asked}");
        assert_eq!(sync.counted("true").await.len() - rows, asked, "{lane:?}");
        assert_eq!(sync.everything().await, before, "{lane:?}");
    }
    let dry = sync.ends_with(0, &["--dry-run"]).await;
    let wet = sync.ends_with(0, &[]).await;
    assert_eq!((totals(&dry), dry.count("deleted")), (totals(&wet), wet.count("deleted")));
    assert_eq!((totals(&wet)[1], wet.count("deleted")), (3, 1));
}

#[tokio::test]
async fn a_dry_run_has_no_more_than_the_others() {
    let sync = Sync::with_visits(CROWD).await;
    let before = sync.everything().await;
    let outcome = sync.limited(3, ["1000", "2"], &["--dry-run", "--manual-share", "0"]).await;
    stopped(&outcome, "BUDGET");
    assert_eq!((sync.upstream.requests().len(), sync.everything().await), (2, before));
    sync.limited(1, ["1000", "2"], &["--manual-share", "0"]).await;
    assert_eq!(sync.upstream.requests().len(), 2);
}

#[tokio::test]
async fn nobody_asks_while_the_account_wants_to_be_left_alone() {
    let sync = Sync::with_visits(1).await;
    sync.clinic.sql("UPDATE api_budgets SET blocked_until = clock_timestamp() + interval '3 s'").await;
    for run in [sync.start(&ONE), sync.start(&["--incremental"])] {
        program::finish(run).await.expect(0);
    }
    let early = "SELECT count(*) FROM api_requests q JOIN api_budgets b ON b.account = q.account
                 WHERE q.requested_at < b.blocked_until";
    assert_eq!((sync.clinic.count(early).await, sync.upstream.requests().len()), (0, 4));
}

#[tokio::test]
async fn a_request_is_counted_under_the_lock_and_before_it_is_sent() {
    let sync = Sync::with_visits(1).await;
    let holder = connect(&server().url(&sync.clinic.database)).await;
    holder.batch_execute("BEGIN; SELECT FROM api_budgets FOR UPDATE").await.expect("locked");
    let run = sync.start(&ONE);
    sync.clinic.waiting(1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((sync.upstream.requests().len(), sync.counted("true").await.len()), (0, 0));
    sync.upstream.fault(&[Fault::HeldBody]);
    holder.batch_execute("COMMIT").await.expect("let go");
    sync.upstream.asked(1).await;
    assert_eq!(sync.counted("true").await.len(), 1, "it is committed before it is sent");
    sync.upstream.let_go();
    program::finish(run).await.expect(0);
}
