//! How a run ends: signals, the deadline, the brake, a dry run, a part that failed, a heart that stopped.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::program::{self, signal};
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::{Clinic, Program, gate};

const ARGS: [&str; 5] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"];

async fn row(clinic: &Clinic) -> serde_json::Value {
    clinic.json("SELECT status, error_code, items_processed, items_failed FROM cron_job_runs").await
}

#[tokio::test]
async fn a_signal_ends_the_run_after_its_batch() {
    for (number, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGHUP, 129)] {
        let clinic = Clinic::with_visits(30).await;
        gate::close(&clinic, 15).await;
        let run = clinic.program.start(&ARGS);
        gate::reached(&clinic).await;
        signal(&run, number);
        tokio::time::sleep(Duration::from_millis(300)).await;
        gate::open(&clinic).await;
        let outcome = program::finish(run).await.expect(code);
        assert_eq!(outcome.count("marked"), 20, "the batch at work was finished, the next not begun");
        assert_eq!(clinic.effects().await, (20, 20, 40));
        let expected =
            json!({"status": "FAILED", "error_code": "INTERRUPTED", "items_processed": 20, "items_failed": 0});
        assert_eq!(row(&clinic).await, expected);
        assert_eq!(clinic.run(&ARGS).await.expect(0).count("marked"), 10);
    }
}

#[tokio::test]
async fn a_signal_cancels_a_batch_that_does_not_end() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&ARGS);
    gate::reached(&clinic).await;
    let began = Instant::now();
    signal(&run, libc::SIGTERM);
    program::finish(run).await.expect(143);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let expected = json!({"status": "FAILED", "error_code": "INTERRUPTED", "items_processed": 10, "items_failed": 0});
    assert_eq!(row(&clinic).await, expected);
    assert_eq!(clinic.effects().await, (10, 10, 20));
}

/// A program that shall outlive its terminal, as by nohup, goes on.
#[tokio::test]
async fn a_hangup_that_is_ignored_ends_nothing() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start_by(&["/bin/sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""], &ARGS);
    gate::reached(&clinic).await;
    signal(&run, libc::SIGHUP);
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate::open(&clinic).await;
    assert_eq!(program::finish(run).await.expect(0).count("marked"), 30);
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_a_failure_and_the_work_stays() {
    let clinic = Clinic::with_visits(3).await;
    let full = ["/bin/sh", "-c", "exec \"$0\" \"$@\" > /dev/full"];
    let outcome = program::finish(clinic.program.start_by(&full, &ARGS)).await.expect(1);
    assert!(outcome.stderr.contains("OUTPUT_NOT_WRITTEN"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("committed"), "{}", outcome.stderr);
    assert_eq!(clinic.effects().await, (3, 3, 6));
    for args in [&["runs", "list"][..], &["schedule"], &["man"], &["statements"]] {
        program::finish(clinic.program.start_by(&full, args)).await.expect(1);
    }
    // A reader that has gone away has seen what it wanted.
    let closed = ["/bin/bash", "-c", "\"$0\" \"$@\" | true; exit ${PIPESTATUS[0]}"];
    program::finish(clinic.program.start_by(&closed, &["man", "--markdown"])).await.expect(0);
}

#[tokio::test]
async fn the_deadline_ends_the_run_and_keeps_what_is_committed() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let outcome = clinic.run(&[&ARGS[..], &["--timeout", "2s"]].concat()).await.expect(124);
    assert_eq!(outcome.count("marked"), 10);
    let expected =
        json!({"status": "FAILED", "error_code": "DEADLINE_EXCEEDED", "items_processed": 10, "items_failed": 0});
    assert_eq!(row(&clinic).await, expected);
    gate::open(&clinic).await;
    assert_eq!(clinic.run(&ARGS).await.expect(0).count("marked"), 20);
}

#[tokio::test]
async fn the_brake_changes_nothing() {
    let clinic = Clinic::with_visits(30).await;
    let outcome = clinic.run(&[&ARGS[..], &["--max-items", "29"]].concat()).await.expect(5);
    assert_eq!(outcome.report()["error_code"], "BRAKE");
    assert_eq!(clinic.effects().await, (0, 0, 0));
    let expected = json!({"status": "FAILED", "error_code": "BRAKE", "items_processed": 0, "items_failed": 0});
    assert_eq!(row(&clinic).await, expected);
    clinic.run(&[&ARGS[..], &["--max-items", "30"]].concat()).await.expect(0);
    assert_eq!(clinic.effects().await.0, 30);
}

#[tokio::test]
async fn a_dry_run_reports_exactly_and_changes_nothing() {
    let clinic = Clinic::with_visits(25).await;
    let dump = "SELECT (SELECT array_agg(a ORDER BY id) FROM appointments a) AS a,
                       (SELECT count(*) FROM no_show_logs) + (SELECT count(*) FROM notifications)
                       + (SELECT count(*) FROM cron_job_runs) + (SELECT count(*) FROM cron_job_run_errors) AS n";
    let before = clinic.json(dump).await;
    let dry = clinic.run(&[&ARGS[..], &["--dry-run"]].concat()).await.expect(0).report();
    assert_eq!(clinic.json(dump).await, before);
    let real = clinic.run(&ARGS).await.expect(0).report();
    for key in ["scanned", "marked", "slots_released", "notifications", "notices_expired", "skipped", "failed"] {
        assert_eq!(dry[key], real[key], "{key}");
    }
    assert_eq!((&dry["run_id"], &dry["dry_run"]), (&json!(null), &json!(true)));
}

#[tokio::test]
async fn a_poison_row_is_alone_in_its_failure() {
    let clinic = Clinic::with_visits(1000).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'CANARY-TRIGGER %', NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 613)
             EXECUTE FUNCTION refuse()",
        )
        .await;
    let args = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    let dry = clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(3);
    assert_eq!((dry.count("marked"), dry.count("failed")), (999, 1));
    let outcome = clinic.run(&args).await.expect(3);
    assert_eq!((outcome.count("scanned"), outcome.count("marked"), outcome.count("failed")), (1000, 999, 1));
    assert_eq!(outcome.report()["errors"], json!([{"entity": "appointment", "id": "613", "code": "P0001"}]));
    assert_eq!(outcome.report()["ok"], true);
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    let error = clinic.json("SELECT entity, entity_id, error_code, message FROM cron_job_run_errors").await;
    let message = "a trigger or function of the database refused the row";
    assert_eq!(error["message"], format!("changing 1 appointment from id 613: {message}"));
    assert_eq!((&error["entity"], &error["entity_id"]), (&json!("appointment"), &json!("613")));
    let expected = json!({"status": "COMPLETED", "error_code": null, "items_processed": 999, "items_failed": 1});
    assert_eq!(row(&clinic).await, expected);
    assert_eq!(clinic.effects().await, (999, 999, 1998));
    clinic.run(&[&args[..], &["--partial-ok"]].concat()).await.expect(0);
}

/// Makes each visit take so many seconds.
pub async fn slow(clinic: &Clinic, seconds: f64) {
    clinic
        .sql(&format!(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE INSERT ON no_show_logs FOR EACH ROW EXECUTE FUNCTION slow()"
        ))
        .await;
}

/// A program that gets one connection and no second: its heart cannot beat.
pub async fn lonely(clinic: &Clinic) -> Program {
    let role = format!("lonely_{}", clinic.database);
    clinic
        .sql(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1;
             GRANT USAGE ON SCHEMA rounds TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rounds TO {role}"
        ))
        .await;
    Program::new(&crate::support::server().url(&clinic.database).replace("rounds@", &format!("{role}@")))
}

#[tokio::test]
async fn a_run_without_a_heartbeat_stops_before_others_take_it_for_dead() {
    let clinic = Clinic::with_visits(20).await;
    // Each batch takes long enough for that to matter.
    slow(&clinic, 0.5).await;
    let args = [&ARGS[..3], &["--batch-rows", "1", "--lease", "6s"]].concat();
    let outcome = lonely(&clinic).await.run(&args).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "HEARTBEAT_LOST", "{outcome:?}");
    let marked = outcome.count("marked");
    assert!((4..=14).contains(&marked), "stopped after four seconds of half a second each, not {marked}");
    assert_eq!(row(&clinic).await["items_processed"], marked);
}

/// The handlers are there before anything is asked of the server.
#[tokio::test]
async fn a_signal_during_the_claim_closes_its_row() {
    for (number, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGHUP, 129)] {
        for text in ["INSERT INTO cron_job_runs", "COMMIT"] {
            let clinic = Clinic::with_visits(3).await;
            let mut proxy = Proxy::start(Trigger { text, skip: 0, act: Act::Hold(0) }).await;
            let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
            proxy.fired().await;
            signal(&run, number);
            let outcome = program::finish(run).await.expect(code);
            assert_eq!(outcome.report()["error_code"], "INTERRUPTED", "{outcome:?}");
            let running = clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'").await;
            assert_eq!((running, clinic.effects().await), (0, (0, 0, 0)), "{text}");
        }
    }
}

#[tokio::test]
async fn whenever_a_signal_comes_no_row_stays_open() {
    let clinic = Clinic::with_visits(200).await;
    let args = [&ARGS[..3], &["--batch-rows", "1"]].concat();
    let (mut early, mut heard) = (0, 0);
    // A loaded machine takes longer until the program hears a signal.
    for step in 0..200 {
        if step >= 24 && heard > 0 {
            break;
        }
        let run = clinic.program.start(&args);
        tokio::time::sleep(Duration::from_millis(2 * step)).await;
        signal(&run, libc::SIGTERM);
        let outcome = program::finish(run).await;
        match outcome.code {
            // The signal came before the program had begun.
            code if code == -libc::SIGTERM => early += 1,
            143 => heard += 1,
            0 => {}
            code => panic!("{code}: {outcome:?}"),
        }
        let running = clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'").await;
        assert_eq!(running, 0, "after {} ms: {outcome:?}", 2 * step);
    }
    assert!(heard > 0, "none was heard; {early} came too early");
}
