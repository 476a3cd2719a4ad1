//! Killed, stopped, put to sleep, or side by side: nothing is lost, nothing is old, and no log stays open.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::sleep;

use super::crowd::{CROWD, discreet, visit, visit_id};
use super::words::{balanced, skipped, totals};
use crate::support::practiceq::{Fault, NOW, Sync};
use crate::support::program::{self, signal};
use crate::support::{connect, gate, server};

const LEASE: [&str; 2] = ["--lease", "2s"];
const FOR_EVER: Fault = Fault::SlowBody(Duration::from_secs(3600));

/// An account whose visits were read once, and of which some have changed since, in each way.
async fn changed() -> Sync {
    let sync = Sync::with_visits(CROWD).await;
    sync.ends_with(0, &[]).await;
    for number in (0..CROWD).step_by(10) {
        let hour = 3_600_000;
        sync.upstream.edit(&visit_id(number), |row| {
            for field in ["StartDate", "EndDate"] {
                row[field] = json!(row[field].as_i64().expect("milliseconds") + hour);
            }
        });
        sync.upstream.edit(&visit_id(number + 1), |row| row["Status"] = json!("Canceled"));
    }
    ["v005", "v105", "v205"].iter().for_each(|id| sync.upstream.delete(id));
    (300..310).for_each(|number| sync.upstream.put(visit(number)));
    sync.upstream.clear_requests();
    sync.clinic.sql("DELETE FROM api_requests; DELETE FROM sync_logs; DELETE FROM cron_job_runs").await;
    sync
}

/// What is stored after an undisturbed run.
async fn undisturbed() -> Value {
    let sync = changed().await;
    sync.ends_with(0, &[]).await;
    sync.picture().await
}

/// Starts a run that stops for ever in the middle of the answer to this request, from 1.
async fn paused_at(sync: &Sync, request: usize, args: &[&str]) -> Child {
    let asked = sync.upstream.requests().len();
    sync.upstream.fault(&[vec![Fault::None; request - 1], vec![FOR_EVER]].concat());
    let run = sync.start(&[args, &LEASE].concat());
    sync.upstream.asked(asked + request).await;
    run
}

/// How many logs are open.
async fn open_logs(sync: &Sync) -> i64 {
    sync.clinic.count("SELECT count(*) FROM sync_logs WHERE status = 'in_progress'").await
}

#[tokio::test]
async fn killed_at_any_request_it_is_completed_by_the_next() {
    let expected = undisturbed().await;
    for request in [1, 2, 4, 7] {
        let sync = changed().await;
        let mut run = paused_at(&sync, request, &[]).await;
        assert_eq!(open_logs(&sync).await, 1, "request {request}");
        run.kill().await.expect("it lives");
        let counted = sync.clinic.count("SELECT count(*) FROM api_requests").await;
        assert_eq!(counted, request as i64, "what was sent is counted, whoever died");
        sync.clinic.bury().await;
        let outcome = sync.ends_with(0, &LEASE).await;
        balanced(&outcome);
        assert_eq!(sync.logs().await, ["failed", "completed"], "request {request}");
        assert_eq!(sync.picture().await, expected, "request {request}");
    }
}

#[tokio::test]
async fn killed_while_it_writes_it_is_completed_by_the_next() {
    let expected = undisturbed().await;
    for table in ["api_requests", "sync_logs", "appointments"] {
        let sync = changed().await;
        gate::build_for(&sync.clinic, table, "id").await;
        let next =
            format!("SELECT coalesce(max(last_value), 0) + 1 FROM pg_sequences WHERE sequencename = '{table}_id_seq'");
        let next = sync.clinic.count(&next).await;
        // The second request; the log; the first of what is new, whichever number it has.
        let (first, last) = match table {
            "api_requests" => (next + 1, next + 1),
            "sync_logs" => (next, next),
            _ => (next, next + 1000),
        };
        sync.clinic.sql(&format!("INSERT INTO gate SELECT generate_series({first}, {last})")).await;
        let mut run = sync.start(&LEASE);
        gate::reached(&sync.clinic).await;
        run.kill().await.expect("it lives");
        gate::open(&sync.clinic).await;
        sync.clinic.bury().await;
        sync.run(&LEASE).await.expect(0);
        assert_eq!((open_logs(&sync).await, sync.picture().await), (0, expected.clone()), "{table}");
    }
}

#[tokio::test]
async fn killed_at_any_moment_it_is_completed_by_the_next() {
    let expected = undisturbed().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let sync = changed().await;
    for _ in 0..5 {
        let mut run = sync.start(&LEASE);
        let wait = Duration::from_millis(rng.u64(20..700));
        sleep(wait).await;
        run.kill().await.expect("it can be waited for");
        sync.clinic.bury().await;
        let twice = "SELECT count(*) - count(DISTINCT external_id) FROM appointments WHERE source = 'PRACTICEQ'";
        assert_eq!(sync.clinic.count(twice).await, 0, "after {wait:?}");
    }
    for _ in 0..2 {
        sync.run(&LEASE).await.expect(0);
    }
    assert_eq!((open_logs(&sync).await, sync.picture().await), (0, expected));
}

#[tokio::test]
async fn the_log_of_a_dead_run_is_closed_by_the_next_of_any_lane() {
    for lane in [&["--incremental"][..], &["--patient", "1"], &["--organization", "1"], &["--appointment", "v000"], &[]]
    {
        let sync = Sync::with_visits(3).await;
        let mut run = paused_at(&sync, 1, &[]).await;
        run.kill().await.expect("it lives");
        sync.clinic.bury().await;
        sync.run(&[lane, &LEASE].concat()).await.expect(0);
        assert_eq!(sync.logs().await, ["failed", "completed"], "{lane:?}");
        sync.tidy().await;
        let closed = "SELECT count(*) FROM sync_logs
                      WHERE status = 'failed' AND completed_at >= started_at AND duration_ms >= 0
                        AND error_message <> ''";
        assert_eq!(sync.clinic.count(closed).await, 1, "{lane:?}");
    }
}

#[tokio::test]
async fn the_log_of_a_run_that_nobody_knows_any_more_is_closed_too() {
    let sync = Sync::with_visits(3).await;
    sync.clinic
        .sql(
            "INSERT INTO sync_logs (sync_type, started_at, run_id)
             VALUES ('automated_daily', clock_timestamp() - interval '3 days', gen_random_uuid())",
        )
        .await;
    sync.ends_with(0, &["--incremental"]).await;
    assert_eq!(sync.logs().await, ["failed", "completed"]);
}

#[tokio::test]
async fn the_log_of_a_run_that_lives_is_its_own() {
    let sync = Sync::with_visits(3).await;
    sync.upstream.fault(&[Fault::HeldBody]);
    let run = sync.start(&[]);
    sync.upstream.asked(1).await;
    sync.run(&["--incremental"]).await.expect(0);
    assert_eq!(sync.logs().await, ["in_progress", "completed"]);
    sync.upstream.let_go();
    program::finish(run).await.expect(0);
    assert_eq!(sync.logs().await, ["completed", "completed"]);
}

#[tokio::test]
async fn asked_to_stop_it_stops_at_once_and_closes_its_log() {
    let expected = undisturbed().await;
    for (number, code, request) in [(libc::SIGTERM, 143, 1), (libc::SIGINT, 130, 2), (libc::SIGTERM, 143, 7)] {
        let sync = changed().await;
        let run = paused_at(&sync, request, &[]).await;
        let began = Instant::now();
        signal(&run, number);
        let outcome = program::finish(run).await.expect(code);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        discreet(&outcome);
        sync.tidy().await;
        let log = sync.logs().await;
        assert!(["failed", "partial_success"].contains(&&*log[0]), "{log:?}");
        assert_eq!(sync.clinic.json("SELECT error_code FROM cron_job_runs").await["error_code"], "INTERRUPTED");
        sync.ends_with(0, &[]).await;
        assert_eq!(sync.picture().await, expected, "request {request}");
    }
}

#[tokio::test]
async fn asked_to_stop_while_it_waits_for_the_limit_it_stops_at_once() {
    let sync = Sync::with_visits(3).await;
    sync.clinic.sql("UPDATE api_budgets SET blocked_until = clock_timestamp() + interval '10 min'").await;
    let run = sync.start(&[]);
    let running = "SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'";
    while sync.clinic.count(running).await == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    signal(&run, libc::SIGTERM);
    program::finish(run).await.expect(143);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    sync.tidy().await;
}

#[tokio::test]
async fn a_sleeper_that_was_taken_over_writes_nothing() {
    let sync = changed().await;
    sync.upstream.fault(&[Fault::None, Fault::SlowBody(Duration::from_secs(1))]);
    let sleeper = sync.start(&LEASE);
    sync.upstream.asked(2).await;
    signal(&sleeper, libc::SIGSTOP);
    sync.clinic.expire_leases().await;
    sync.run(&LEASE).await.expect(0);
    sync.upstream.edit("v000", |row| row["Status"] = json!("Missed"));
    sync.run(&["--appointment", "v000"]).await.expect(0);
    let before = sync.everything().await;
    signal(&sleeper, libc::SIGCONT);
    let outcome = program::finish(sleeper).await.expect(4);
    assert_eq!(outcome.report()["error_code"], "FENCED", "{outcome:?}");
    assert_eq!(sync.everything().await, before, "it wrote nothing");
    assert_eq!(sync.logs().await, ["failed", "completed", "completed"]);
}

#[tokio::test]
async fn a_second_run_of_the_same_lane_does_not_begin() {
    let sync = Sync::with_visits(3).await;
    for lane in [&[][..], &["--incremental"], &["--patient", "1"]] {
        let asked = sync.upstream.requests().len();
        sync.upstream.fault(&[Fault::HeldBody]);
        let run = sync.start(lane);
        sync.upstream.asked(asked + 1).await;
        assert_eq!(sync.run(lane).await.expect(0).report()["status"], "SKIPPED", "{lane:?}");
        assert_eq!(sync.upstream.requests().len(), asked + 1, "{lane:?}");
        sync.upstream.let_go();
        program::finish(run).await.expect(0);
    }
}

#[tokio::test]
async fn all_lanes_at_once_store_each_visit_once() {
    let sync = Sync::with_visits(CROWD).await;
    let lanes: [&[&str]; 5] =
        [&[], &["--incremental"], &["--patient", "1"], &["--organization", "1"], &["--appointment", "v100"]];
    for round in 0..4 {
        let runs: Vec<_> = lanes.iter().map(|lane| sync.start(lane)).collect();
        let (mut new, mut updated) = (0, 0);
        for run in runs {
            let outcome = program::finish(run).await.expect(0);
            balanced(&outcome);
            new += totals(&outcome)[0];
            updated += totals(&outcome)[1];
        }
        if round == 0 {
            // A page whose client another lane has linked at that moment is left to the next run.
            new += totals(&sync.run(&[]).await.expect(0))[0];
        }
        // Whom one run holds another leaves alone; but somebody wrote it.
        let changed = if round == 0 { 0 } else { 30 };
        assert_eq!((new, updated), (if round == 0 { CROWD as u64 } else { 0 }, changed), "round {round}");
        let wrong = (0..CROWD).filter(|number| number % 8 == 0).take(30).map(visit_id);
        for id in wrong {
            sync.upstream.edit(&id, |row| row["ServiceName"] = json!(format!("service {round}")));
        }
    }
    sync.tidy().await;
    assert_eq!(sync.stored_visits().await, CROWD as i64);
}

/// Starts a full sweep that holds its first page while something else happens, and has written it afterwards.
async fn with_a_stale_page(sync: &Sync, meanwhile: impl AsyncFnOnce()) -> program::Outcome {
    let asked = sync.upstream.requests().len();
    sync.upstream.fault(&[Fault::HeldBody]);
    let run = sync.start(&[]);
    sync.upstream.asked(asked + 1).await;
    meanwhile().await;
    sync.upstream.let_go();
    program::finish(run).await
}

/// A visit that is stored, and was read by no one later.
async fn stored_once() -> Sync {
    let sync = Sync::with_visits(3).await;
    sync.ends_with(0, &[]).await;
    sync
}

async fn column(sync: &Sync, name: &str) -> Value {
    sync.clinic.json(&format!("SELECT {name} AS v FROM stored_visits WHERE external_id = 'v001'")).await["v"].clone()
}

#[tokio::test]
async fn a_page_that_is_older_than_what_is_stored_is_not_written() {
    for ticks in [true, false] {
        let sync = Sync::with_visits(3).await;
        let outcome = with_a_stale_page(&sync, async || {
            let cancelled = |row: &mut Value| row["Status"] = json!("Canceled");
            let mut row = sync.upstream.row("v001");
            cancelled(&mut row);
            if ticks {
                sync.upstream.edit("v001", cancelled)
            } else {
                sync.upstream.put(row)
            }
            assert_eq!(totals(&sync.run(&["--appointment", "v001"]).await.expect(0))[0], 1);
        })
        .await
        .expect(0);
        balanced(&outcome);
        assert_eq!(column(&sync, "status").await, "CANCELLED", "LastModified tells: {ticks}");
        assert_eq!(skipped(&outcome, "older"), 1, "LastModified tells: {ticks}: {outcome:?}");
        assert_eq!(totals(&outcome)[..2], [2, 0], "{outcome:?}");
    }
}

#[tokio::test]
async fn a_page_from_before_a_visit_was_gone_does_not_bring_it_back() {
    let sync = stored_once().await;
    let outcome = with_a_stale_page(&sync, async || {
        // Not listed among the deleted: the sweep itself does not hear of it.
        sync.upstream.vanish("v001");
        assert_eq!(sync.run(&["--appointment", "v001"]).await.expect(0).count("deleted"), 1);
    })
    .await;
    balanced(&outcome.expect(0));
    assert_ne!(column(&sync, "deleted_at").await, Value::Null);
}

#[tokio::test]
async fn a_list_of_the_deleted_from_before_a_visit_came_back_does_not_delete_it() {
    let sync = stored_once().await;
    sync.upstream.delete("v001");
    // The window, what was changed, and then what was deleted.
    sync.upstream.fault(&[Fault::None, Fault::None, Fault::HeldBody]);
    let asked = sync.upstream.requests().len();
    let run = sync.start(&[]);
    sync.upstream.asked(asked + 3).await;
    sync.upstream.restore("v001");
    sync.upstream.edit("v001", |row| row["ServiceName"] = json!("another"));
    assert_eq!(totals(&sync.run(&["--appointment", "v001"]).await.expect(0))[1], 1);
    sync.upstream.let_go();
    balanced(&program::finish(run).await.expect(0));
    assert_eq!(
        (column(&sync, "deleted_at").await, column(&sync, "service_name").await),
        (Value::Null, json!("another"))
    );
}

#[tokio::test]
async fn a_visit_that_somebody_holds_is_left_to_the_next_run() {
    let sync = stored_once().await;
    sync.upstream.edit("v001", |row| row["ServiceName"] = json!("another"));
    let holder = connect(&server().url(&sync.clinic.database)).await;
    holder
        .batch_execute("BEGIN; SELECT FROM appointments WHERE external_id = 'v001' FOR NO KEY UPDATE")
        .await
        .expect("locked");
    let outcome = sync.ends_with(0, &[]).await;
    balanced(&outcome);
    assert!(skipped(&outcome, "locked") >= 1, "{outcome:?}");
    holder.batch_execute("COMMIT").await.expect("let go");
    assert_eq!(totals(&sync.ends_with(0, &[]).await)[1], 1);
    assert_eq!(column(&sync, "service_name").await, "another");
}

#[tokio::test]
async fn a_failure_of_the_database_closes_the_log() {
    let sync = Sync::with_visits(3).await;
    sync.clinic
        .sql(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'Zebedee Canaryman'; END $$;
             CREATE TRIGGER fail BEFORE UPDATE ON practiceq_state FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        .await;
    let outcome = sync.run(&[]).await;
    assert!([1, 3].contains(&outcome.code), "{outcome:?}");
    discreet(&outcome);
    sync.tidy().await;
    sync.clinic.sql("DROP TRIGGER fail ON practiceq_state").await;
    sync.ends_with(0, &["--as-of", NOW]).await;
    assert_eq!(sync.stored_visits().await, 3);
}
