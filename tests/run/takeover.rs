//! A run that died, or that sleeps and wakes up late. Leases are 6 s here: a statement may take 3 s, an idle
//! transaction 1.5 s, a beat comes every second.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::program::{self, signal};
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::{Clinic, Program, gate};

const LEASE: Duration = Duration::from_secs(6);
const ARGS: [&str; 7] =
    ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--lease", "6s", "--batch-rows", "10"];

/// The codes of all runs, in order.
async fn codes(clinic: &Clinic) -> Vec<String> {
    let rows = clinic.rows("SELECT coalesce(error_code, status) FROM cron_job_runs ORDER BY started_at").await;
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_lease_is_lost_after_its_time_and_not_before() {
    for (heartbeat, deadline, code) in [
        ("57 s", "-1 hour", "ALREADY_RUNNING"),
        ("61 s", "-1 hour", "LEASE_EXPIRED"),
        ("1 s", "27 s", "ALREADY_RUNNING"),
        ("1 s", "31 s", "DEADLINE_EXCEEDED"),
    ] {
        let clinic = Clinic::new().await;
        clinic.dead_run(heartbeat, deadline).await;
        let outcome = clinic.run(&["mark-no-shows"]).await.expect(0);
        let expected = if code == "ALREADY_RUNNING" { ["RUNNING", code] } else { [code, "COMPLETED"] };
        assert_eq!(codes(&clinic).await, expected, "{heartbeat}, {deadline}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_holder_is_judged_by_its_own_lease_where_that_is_longer() {
    let clinic = Clinic::new().await;
    clinic.dead_run("50 s", "-1 hour").await;
    assert_eq!(clinic.run(&["mark-no-shows", "--lease", "5s"]).await.expect(0).report()["status"], "SKIPPED");
    clinic.sql("UPDATE cron_job_runs SET lease_ms = 5000").await;
    clinic.run(&["mark-no-shows", "--lease", "5s"]).await.expect(0);
    assert_eq!(codes(&clinic).await, ["LEASE_EXPIRED", "ALREADY_RUNNING", "COMPLETED"]);
}

#[tokio::test]
async fn a_dead_run_whose_row_is_locked_blocks_nobody_in_silence() {
    let clinic = Clinic::new().await;
    clinic.dead_run("10 minutes", "5 minutes").await;
    clinic.sql("BEGIN; SELECT FROM cron_job_runs FOR KEY SHARE").await;
    let outcome = clinic.run(&["mark-no-shows"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "TAKEOVER_BLOCKED");
    clinic.sql("COMMIT").await;
    clinic.run(&["mark-no-shows"]).await.expect(0);
    assert_eq!(codes(&clinic).await, ["LEASE_EXPIRED", "TAKEOVER_BLOCKED", "COMPLETED"]);
}

#[tokio::test]
async fn a_killed_run_is_completed_by_the_next() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let mut killed = clinic.program.start(&ARGS);
    gate::reached(&clinic).await;
    killed.kill().await.expect("it lives");
    gate::open(&clinic).await;
    assert_eq!(clinic.effects().await.0, 10, "one batch was committed");

    clinic.run(&ARGS).await.expect(0);
    assert_eq!(clinic.effects().await.0, 10, "the lease is still valid");
    sleep(LEASE).await;
    assert_eq!(clinic.run(&ARGS).await.expect(0).count("marked"), 20);
    assert_eq!(clinic.effects().await, (30, 30, 60));
    assert_eq!(codes(&clinic).await, ["LEASE_EXPIRED", "ALREADY_RUNNING", "COMPLETED"]);
}

#[tokio::test]
async fn whenever_it_is_killed_nothing_is_lost_and_nothing_happens_twice() {
    let clinic = Clinic::with_visits(2000).await;
    let args = [&ARGS[..3], &["--lease", "2s", "--batch-rows", "20"]].concat();
    let mut completed = false;
    for number in 1..=8 {
        let mut run = clinic.program.start(&args);
        sleep(Duration::from_millis(23 * number)).await;
        // It may be done already; then there is nothing to kill.
        completed |= run.try_wait().expect("can be asked").is_some_and(|status| status.success());
        let _ = run.kill().await;
        clinic.bury().await;
    }
    clinic.run(&args).await.expect(0);
    assert_eq!(clinic.effects().await, (2000, 2000, 4000), "completed early: {completed}");
    assert_eq!(clinic.count("SELECT count(DISTINCT appointment_id) FROM no_show_logs").await, 2000);
}

/// A run is stopped at a point; another takes over and does the rest; the sleeper wakes up.
async fn sleeper(clinic: &Clinic, sleeper: tokio::process::Child, wake: impl FnOnce()) {
    signal(&sleeper, libc::SIGSTOP);
    wake();
    sleep(LEASE + Duration::from_millis(500)).await;
    gate::open(clinic).await;
    clinic.run(&ARGS).await.expect(0);
    let before = clinic.effects().await;
    signal(&sleeper, libc::SIGCONT);
    let outcome = program::finish(sleeper).await.expect(4);
    assert_eq!(outcome.report()["error_code"], "FENCED");
    assert_eq!(clinic.effects().await, before, "it wrote nothing");
    assert_eq!(codes(clinic).await, ["LEASE_EXPIRED", "COMPLETED"]);
}

#[tokio::test]
async fn a_sleeper_between_batches_wakes_up_fenced() {
    let clinic = Clinic::with_visits(30).await;
    let mut proxy = Proxy::start(Trigger { text: "COMMIT", skip: 1, act: Act::Hold(0) }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
    proxy.fired().await;
    sleeper(&clinic, run, || proxy.release()).await;
    assert_eq!(clinic.effects().await, (30, 30, 60));
}

#[tokio::test]
async fn a_sleeper_writes_nothing_even_where_there_is_work_left() {
    let clinic = Clinic::with_visits(30).await;
    let mut proxy = Proxy::start(Trigger { text: "COMMIT", skip: 1, act: Act::Hold(0) }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
    proxy.fired().await;
    signal(&run, libc::SIGSTOP);
    proxy.release();
    sleep(LEASE + Duration::from_millis(500)).await;
    // It takes over, and its brake leaves all the work undone.
    clinic.run(&[&ARGS[..5], &["--max-items", "1"]].concat()).await.expect(5);
    signal(&run, libc::SIGCONT);
    program::finish(run).await.expect(4);
    assert_eq!(clinic.effects().await, (10, 10, 20));
    assert_eq!(codes(&clinic).await, ["LEASE_EXPIRED", "BRAKE"]);
}

#[tokio::test]
async fn a_run_in_a_long_statement_hears_from_its_heart_that_it_is_over() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&[&ARGS[..3], &["--batch-rows", "10", "--lease", "30s"]].concat());
    gate::reached(&clinic).await;
    let began = std::time::Instant::now();
    clinic.sql("UPDATE cron_job_runs SET status = 'FAILED', error_code = 'X', completed_at = clock_timestamp()").await;
    program::finish(run).await.expect(4);
    // A beat is 5 s, the batch at work may take 4 s more; the statement would have waited 15 s.
    assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
    assert_eq!(clinic.effects().await, (10, 10, 20));
}

#[tokio::test]
async fn a_sleeper_in_a_statement_wakes_up_fenced() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&ARGS);
    gate::reached(&clinic).await;
    sleeper(&clinic, run, || ()).await;
    assert_eq!(clinic.effects().await, (30, 30, 60));
}

#[tokio::test]
async fn a_sleeper_in_an_open_transaction_wakes_up_fenced() {
    let clinic = Clinic::with_visits(30).await;
    // The statement's answer is held back: its transaction stays open, with the fence.
    let mut proxy = Proxy::start(Trigger { text: "INSERT INTO no_show_logs", skip: 1, act: Act::Hold(0) }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
    proxy.fired().await;
    sleeper(&clinic, run, || proxy.release()).await;
    assert_eq!(clinic.effects().await, (30, 30, 60));
}

#[tokio::test]
async fn a_sleeper_in_the_middle_of_a_result_wakes_up_fenced() {
    // Too long an answer for the buffers between: the server is stuck sending it.
    let clinic = Clinic::with_visits(60_000).await;
    let mut proxy = Proxy::start(Trigger { text: "FROM found f\nORDER BY", skip: 0, act: Act::Hold(5000) }).await;
    // A longer lease: there are many visits, and the machine may be busy.
    let mut patient = ARGS;
    patient[4] = "12s";
    let run = Program::new(&proxy.url(&clinic.database)).start(&patient);
    proxy.fired().await;
    signal(&run, libc::SIGSTOP);
    sleep(2 * LEASE + Duration::from_millis(500)).await;
    clinic.run(&[&patient[..5], &["--batch-rows", "1000"]].concat()).await.expect(0);
    assert_eq!(clinic.effects().await, (60_000, 60_000, 120_000));
    signal(&run, libc::SIGCONT);
    proxy.release();
    program::finish(run).await.expect(4);
    assert_eq!(clinic.effects().await, (60_000, 60_000, 120_000));
    assert_eq!(codes(&clinic).await, ["LEASE_EXPIRED", "COMPLETED"]);
}
