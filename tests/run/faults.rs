//! The database or the network fails under a run.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::keys::Kind;
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::scratch::{Durability, Scratch};
use crate::support::{Clinic, Database, Program, connect, database, gate, program, program_url, server, server_place};

const ARGS: [&str; 5] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--batch-rows", "10"];

#[tokio::test]
async fn a_killed_connection_is_replaced_and_its_transaction_done_again() {
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&ARGS);
    let backend = gate::reached(&clinic).await;
    clinic.row("SELECT pg_terminate_backend($1)", &[&backend]).await;
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.count("marked"), 30);
    assert!(outcome.stderr.contains("trying again"), "{}", outcome.stderr);
    assert_eq!(clinic.effects().await, (30, 30, 60));
}

/// A clinic on a server of its own, with thirty visits and an open gate.
async fn alone(server: &Scratch) -> Clinic {
    let url = server.url("postgres");
    let program = Program::new(&url).env("ROUNDS_RETRY_DELAY", "1s");
    program.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    let client = connect(&url).await;
    Kind::Bigint.complete(&client).await;
    let clinic = Clinic { database: Database::not_ours("postgres"), client, program, kind: Kind::Bigint };
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 30).await;
    gate::build(&clinic).await;
    clinic
}

#[tokio::test]
async fn a_restarted_server_is_waited_for() {
    let server = Scratch::start(&server_place(), Durability::None).expect("a second server starts");
    let clinic = alone(&server).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&ARGS);
    gate::reached(&clinic).await;
    server.restart().expect("it comes back");
    let clinic = Clinic { client: connect(&server.url("postgres")).await, ..clinic };
    gate::open(&clinic).await;
    program::finish(run).await.expect(0);
    assert_eq!(clinic.effects().await, (30, 30, 60));
}

/// After a crash the server gives the id of a lost transaction to another, which commits.
#[tokio::test]
async fn a_commit_that_a_crash_undid_is_not_believed_in() {
    let server = Scratch::start(&server_place(), Durability::Full).expect("a second server starts");
    let clinic = alone(&server).await;
    // Nothing but a commit writes the log, so that the lost transaction leaves nothing behind.
    for setting in ["wal_writer_delay = '10s'", "wal_level = minimal", "max_wal_senders = 0", "autovacuum = off"] {
        clinic.sql(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    server.restart().expect("it comes back");
    let clinic = Clinic { client: connect(&server.url("postgres")).await, ..clinic };
    gate::move_to_commit(&clinic).await;
    gate::close(&clinic, 15).await;
    let run = clinic.program.start(&ARGS);
    let waiting = gate::reached(&clinic).await;
    let xid = "SELECT backend_xid::text::bigint FROM pg_stat_activity WHERE pid = $1";
    let lost: i64 = clinic.row(xid, &[&waiting]).await.get(0);
    server.crash().expect("it comes back");
    let clinic = Clinic { client: connect(&server.url("postgres")).await, ..clinic };
    let next = async || clinic.row("SELECT pg_current_xact_id()::text::bigint", &[]).await.get::<_, i64>(0);
    let mut other = next().await;
    assert!(other <= lost, "the id {lost} is not used again: {other}");
    while other < lost {
        other = next().await;
    }
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert!(outcome.stderr.contains("asking the server"), "{}", outcome.stderr);
    assert_eq!(outcome.count("marked"), 30);
    assert_eq!(clinic.effects().await, (30, 30, 60));
    assert_eq!(clinic.count("SELECT count(*) FROM run_batches").await, 0);
}

/// A reply or a request is lost at some point; the run has to end well, with everything done once.
async fn lost(text: &'static str, skip: usize, act: Act) -> program::Outcome {
    let clinic = Clinic::with_visits(20).await;
    let mut proxy = Proxy::start(Trigger { text, skip, act }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
    proxy.fired().await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!((outcome.count("scanned"), outcome.count("marked")), (20, 20), "{text} {skip}");
    assert_eq!(clinic.effects().await, (20, 20, 40), "{text} {skip}");
    let runs = clinic.json("SELECT count(*) AS n, min(status) AS s FROM cron_job_runs").await;
    assert_eq!(runs, json!({"n": 1, "s": "COMPLETED"}), "{text} {skip}");
    outcome
}

#[tokio::test]
async fn a_commit_whose_reply_was_lost_is_not_done_again() {
    let outcome = lost("COMMIT", 1, Act::LoseReply).await;
    assert!(outcome.stderr.contains("asking the server"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("trying again"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_done_again() {
    let outcome = lost("COMMIT", 1, Act::LoseRequest).await;
    assert!(outcome.stderr.contains("asking the server"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("trying again"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_commit_that_is_still_at_work_is_waited_for() {
    let clinic = Clinic::with_visits(20).await;
    gate::move_to_commit(&clinic).await;
    gate::close(&clinic, 5).await;
    let mut proxy = Proxy::start(Trigger { text: "COMMIT", skip: 1, act: Act::LoseLink }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&ARGS);
    proxy.fired().await;
    // Meanwhile the program asks how the COMMIT ended, which stands at the gate.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    gate::open(&clinic).await;
    assert_eq!(program::finish(run).await.expect(0).count("marked"), 20);
    assert_eq!(clinic.effects().await, (20, 20, 40));
}

#[tokio::test]
async fn a_claim_whose_reply_was_lost_is_found_again() {
    lost("INSERT INTO cron_job_runs", 0, Act::LoseReply).await;
    lost("INSERT INTO cron_job_runs", 0, Act::LoseRequest).await;
    // The first COMMIT is the claim's.
    lost("COMMIT", 0, Act::LoseReply).await;
    lost("COMMIT", 0, Act::LoseRequest).await;
}

#[tokio::test]
async fn a_closing_whose_reply_was_lost_is_found_again() {
    // The claim and two batches commit before it.
    lost("COMMIT", 3, Act::LoseReply).await;
    lost("COMMIT", 3, Act::LoseRequest).await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_ends_at_the_deadline() {
    let clinic = Clinic::with_visits(20).await;
    let mut proxy = Proxy::start(Trigger { text: "FROM found f\nORDER BY", skip: 0, act: Act::Hold(0) }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&[&ARGS[..], &["--timeout", "2s"]].concat());
    proxy.fired().await;
    program::finish(run).await.expect(124);
    assert_eq!(clinic.json("SELECT error_code AS c FROM cron_job_runs").await["c"], "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_locked_table_ends_a_run_and_does_not_hold_it() {
    for (table, mode, code) in [
        ("rounds_schema", "ACCESS EXCLUSIVE", "55P03"),
        ("cron_job_runs", "ACCESS EXCLUSIVE", "55P03"),
        ("appointments", "ACCESS EXCLUSIVE", "55P03"),
        ("appointments", "SHARE ROW EXCLUSIVE", "55P03"),
    ] {
        let clinic = Clinic::with_visits(100).await;
        clinic.sql(&format!("BEGIN; LOCK TABLE {table} IN {mode} MODE")).await;
        let began = Instant::now();
        let outcome = clinic.run(&[&ARGS[..], &["--lease", "3s"]].concat()).await.expect(1);
        assert_eq!(outcome.report()["error_code"], code, "{table}: {outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(12), "{table}: {:?}", began.elapsed());
        clinic.sql("COMMIT").await;
        assert_eq!(clinic.effects().await, (0, 0, 0), "{table}");
        clinic.run(&ARGS).await.expect(0);
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_at_the_start_is_left_at_the_deadline() {
    let clinic = Clinic::with_visits(20).await;
    let mut proxy = Proxy::start(Trigger { text: "INSERT INTO cron_job_runs", skip: 0, act: Act::Hold(0) }).await;
    let run = Program::new(&proxy.url(&clinic.database)).start(&[&ARGS[..], &["--timeout", "2s"]].concat());
    proxy.fired().await;
    program::finish(run).await.expect(124);
    let running = clinic.count("SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'").await;
    assert_eq!((running, clinic.effects().await), (0, (0, 0, 0)));
}

#[tokio::test]
async fn a_database_that_is_down_is_a_clear_error_without_the_password() {
    // Nobody listens on the port, and nobody else can: it is bound until the end of the test.
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let port = held.local_addr().expect("bound").port();
    let url = format!("postgresql://rounds:CANARY-PASSWORD@127.0.0.1:{port}/clinic");
    let began = Instant::now();
    let outcome = Program::new(&url).run(&ARGS).await.expect(1);
    assert!(began.elapsed() < Duration::from_secs(10));
    let report = outcome.report();
    assert_eq!(report["error_code"], "CONNECTION");
    let message = report["error_message"].as_str().expect("a text");
    assert!(message.contains("gave up after 3 attempts"), "{message}");
    assert!(message.contains(&format!("clinic at 127.0.0.1:{port}")), "{message}");
    assert!(message.contains("connection refused"), "{message}");
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let url = format!("postgresql://rounds@127.0.0.1:{port}/clinic");
    let began = Instant::now();
    let outcome = Program::new(&url).run(&["mark-no-shows", "--attempts", "1"]).await.expect(1);
    assert_eq!(outcome.report()["error_code"], "CONNECTION");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn only_a_database_of_ours_that_is_recent_enough_is_served() {
    let foreign = database(None).await;
    let program = Program::new(&program_url(&foreign));
    let report = program.run(&ARGS).await.expect(2).report();
    assert_eq!(report["error_code"], "NOT_OUR_DATABASE");
    let client = connect(&server().url(&foreign)).await;
    let tables = client.query_one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", &[]).await;
    assert_eq!(tables.expect("can be asked").get::<_, i64>(0), 0, "no job migrates by itself");
    let clinic = Clinic::new().await;
    for (statement, code, error) in [
        ("INSERT INTO rounds_migrations VALUES (9999, 'later', '2026-01-01T00:00:00Z', '1')", 0, json!(null)),
        ("UPDATE rounds_schema SET min_binary_schema = 9999", 2, json!("BINARY_TOO_OLD")),
        ("DELETE FROM rounds_migrations WHERE version > 1", 2, json!("SCHEMA_BEHIND")),
    ] {
        clinic.sql(statement).await;
        let report = clinic.run(&ARGS).await.expect(code).report();
        assert_eq!(report.get("error_code").unwrap_or(&json!(null)), &error, "{statement}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM cron_job_runs").await, 1, "only the one that was served");
}
