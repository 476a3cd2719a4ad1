//! Killed at any point, run again: the same tables as an undisturbed run. And until then they answer as before.

use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::{LENIENT, with_store};
use crate::support::nppes::site::{Fault, Site};
use crate::support::nppes::{DEACTIVATED, LAST, Pfile, Provider, Registry, UPDATED, crowd, week};
use crate::support::role::JobRole;
use crate::support::{connect, gate, program, server};

const ARGS: [&str; 5] = ["refresh-npi", "--lease", "2s", LENIENT[0], LENIENT[1]];

/// The new one of week 1, whom the gates know.
fn newcomer() -> Provider {
    Provider::individual(9000, "NEWCOMER", "ANN")
}

const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Of each kind of change some, with one bad line.
fn changes(number: u64, rows: i64) -> Pfile {
    let each = |row: (usize, Provider)| match row.0 % 5 {
        0 => row.1.with(LAST, &format!("{}AME", char::from(LETTERS[(number as usize * 7 + row.0) % 26]))),
        1 => row.1.with(DEACTIVATED, "12/20/2025"),
        2 => row.1.with(UPDATED, "11/01/2025"),
        _ => row.1,
    };
    let changed: Vec<_> = crowd(0, rows).into_iter().enumerate().map(each).collect();
    let others: Vec<_> = (0..10).map(|one| Provider::organization(one * 3, &format!("CLINIC {number}"))).collect();
    let clinic = Provider::organization(9100, "NEW CLINIC");
    week(number).of(&changed).line("bad").of(&others).of(&[newcomer(), clinic, Provider::gone(9200, "12/20/2025")])
}

/// A registry that has week 0; the site has two weeks more.
async fn offered(rows: i64) -> Registry {
    let registry = Registry::with(&week(0).of(&crowd(0, rows))).await;
    registry.publish(&[changes(1, rows), changes(2, rows)]);
    registry
}

fn start(registry: &Registry) -> Child {
    registry.clinic.program.start(&ARGS)
}

/// The tables that undisturbed runs leave after one file of 60 rows, and after both; made once for all tests.
async fn undisturbed() -> &'static (Value, Value) {
    static TABLES: OnceCell<(Value, Value)> = OnceCell::const_new();
    TABLES.get_or_init(async || undisturbed_and_timed(60).await.0).await
}

/// The tables that undisturbed runs leave after one file, and after both, and the time that the two runs took.
async fn undisturbed_and_timed(rows: i64) -> ((Value, Value), Duration) {
    let registry = offered(rows).await;
    let run = async || {
        let began = Instant::now();
        registry.clinic.run(&ARGS).await.expect(3);
        began.elapsed()
    };
    registry.site.withdraw(&week(2).weekly_name());
    let first = run().await;
    let one = registry.tables().await;
    registry.publish(&[changes(2, rows)]);
    let second = run().await;
    registry.sound().await;
    ((one, registry.tables().await), first + second)
}

/// Kills it, opens the gate, and runs it again once its lease is over: all is as if it had not been killed.
async fn killed(registry: &Registry, mut run: Child, before: &Value, (one, both): &(Value, Value), what: &str) {
    run.kill().await.expect("it lives");
    if registry.clinic.count("SELECT count(*) FROM pg_class WHERE relname = 'gate'").await > 0 {
        gate::open(&registry.clinic).await;
    }
    registry.lease_over().await;
    let left = registry.tables().await;
    assert!([before, one, both].contains(&&left), "{what}: all of a file, or nothing");
    let outcome = registry.clinic.run(&ARGS).await;
    assert_eq!(outcome.code, if left == *both { 0 } else { 3 }, "{what}: {outcome:?}");
    registry.sound().await;
    assert!(registry.tables().await == *both, "{what}");
}

/// Stops before a row is put into the staging table, which has no name yet.
async fn gate_staging(registry: &Registry) {
    registry
        .clinic
        .sql(
            "CREATE TABLE gate (appointment_id bigint PRIMARY KEY);
             CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 WHILE EXISTS (SELECT FROM gate) LOOP
                     PERFORM pg_sleep(0.01);
                 END LOOP;
                 RETURN NEW;
             END $$;
             CREATE FUNCTION gate_staging() RETURNS event_trigger LANGUAGE plpgsql AS $$
             DECLARE
                 made record;
             BEGIN
                 FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() c
                             WHERE c.object_identity LIKE '%npi\\_stage\\_%' AND c.object_type = 'table' LOOP
                     EXECUTE format('CREATE TRIGGER gate BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION pass_gate()',
                                    made.object_identity);
                 END LOOP;
             END $$;
             CREATE EVENT TRIGGER gate ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION gate_staging()",
        )
        .await;
    gate::close(&registry.clinic, 1).await;
}

#[tokio::test]
async fn killed_while_it_fetches_a_file() {
    let expected = undisturbed().await;
    for number in [1, 2] {
        let registry = offered(60).await;
        let name = week(number).weekly_name();
        registry.site.queue(&name, &[Fault::stall(1000)]);
        let before = registry.tables().await;
        let run = start(&registry);
        registry.site.asked(&Site::path(&name)).await;
        killed(&registry, run, &before, expected, &name).await;
    }
}

#[tokio::test]
async fn killed_while_it_fills_the_staging_table_which_is_unlogged() {
    let expected = undisturbed().await;
    let registry = offered(60).await;
    gate_staging(&registry).await;
    let before = registry.tables().await;
    let run = start(&registry);
    gate::reached(&registry.clinic).await;
    let stages = "SELECT count(*) FROM pg_class WHERE relname LIKE 'npi\\_stage\\_%' AND relkind = 'r'
                  AND relpersistence = 'u'";
    assert!(registry.clinic.count(stages).await >= 1);
    killed(&registry, run, &before, expected, "staging").await;
}

#[tokio::test]
async fn killed_while_it_merges_and_searched_meanwhile() {
    let expected = undisturbed().await;
    let clinic = Provider::organization(9100, "").npi;
    for (table, column, value) in [
        ("npi_key", "npi", newcomer().npi),
        ("npi_data", "npi", newcomer().npi),
        ("npi_data", "npi", Provider::gone(9200, "").npi),
        ("search_surgeon", "npi", newcomer().npi),
        ("search_facility", "npi", clinic),
        ("npi_rejects", "line", 62),
        ("npi_files", "id", 2),
    ] {
        let registry = offered(60).await;
        let before = registry.tables().await;
        gate::build_for(&registry.clinic, table, column).await;
        gate::close(&registry.clinic, value).await;
        let run = start(&registry);
        gate::reached(&registry.clinic).await;
        answers_as_before(&registry, &before).await;
        killed(&registry, run, &before, expected, table).await;
    }
}

#[tokio::test]
async fn killed_while_it_commits() {
    let expected = undisturbed().await;
    let registry = offered(60).await;
    let before = registry.tables().await;
    gate::build_for(&registry.clinic, "npi_rejects", "line").await;
    registry
        .clinic
        .sql(
            "DROP TRIGGER gate ON npi_rejects;
             CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON npi_rejects DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION pass_gate()",
        )
        .await;
    gate::close(&registry.clinic, 62).await;
    let run = start(&registry);
    gate::reached(&registry.clinic).await;
    answers_as_before(&registry, &before).await;
    killed(&registry, run, &before, expected, "commit").await;
}

/// Every search table is read, and the program finds whom it found before, at once.
async fn answers_as_before(registry: &Registry, before: &Value) {
    let client = connect(&server().url(&registry.clinic.database)).await;
    client.batch_execute("SET statement_timeout = '2s'").await.expect("it answers");
    let count = "SELECT (SELECT count(*) FROM search_surgeon) + (SELECT count(*) FROM search_facility)";
    let found: i64 = client.query_one(count, &[]).await.expect("nothing is locked").get(0);
    assert_eq!(found as usize, before["surgeons"].as_array().expect("rows").len());
    let began = Instant::now();
    for (name, results) in [("aname0", 1), ("newcomer", 0)] {
        let report = registry.clinic.run(&["npi", "search", name]).await.expect(0).report();
        let exact =
            report["results"].as_array().expect("a list").iter().filter(|_| report["approximate"] == json!(false));
        assert_eq!(exact.count(), results, "{name}: {report}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn killed_at_any_moment() {
    const ROWS: i64 = 500;
    let mut rng = Rng::with_seed(6);
    let registry = offered(ROWS).await;
    let (expected, took) = undisturbed_and_timed(ROWS).await;
    let states = [registry.tables().await, expected.0, expected.1];
    let mut least = 0;
    for kill in 0..8 {
        let mut run = start(&registry);
        // No longer than one file takes, so that most kills find a run at work.
        let wait = took.mul_f64(rng.f64() / 2.0);
        sleep(wait).await;
        run.kill().await.expect("it can be waited for");
        registry.lease_over().await;
        let left = registry.tables().await;
        let state = states.iter().position(|state| *state == left);
        // What was committed stays.
        assert!(state >= Some(least), "kill {kill} after {wait:?}: all of a file, or nothing");
        least = state.unwrap_or_default();
    }
    registry.clinic.run(&ARGS).await;
    registry.sound().await;
    assert!(registry.tables().await == states[2]);
}

#[tokio::test]
async fn killed_while_it_archives() {
    let registry = with_store(offered(60).await);
    let path = format!("/bucket/some/prefix/{}", week(1).weekly_name());
    registry.site.queue_at(&path, &[Fault::stall(0)]);
    let mut run = start(&registry);
    registry.site.asked(&path).await;
    run.kill().await.expect("it lives");
    assert_eq!(registry.ledger().await.len(), 2, "it was committed before");
    sleep(Duration::from_millis(2500)).await;
    registry.clinic.run(&ARGS).await.expect(3);
    assert!(registry.site.object(&path) == Some(changes(1, 60).zip()));
    let query = "SELECT count(*) FROM npi_files WHERE archived_to IS NOT NULL AND name LIKE '%Weekly%'";
    assert_eq!(registry.clinic.count(query).await, 2);
    registry.sound().await;
}

#[tokio::test]
async fn asked_to_stop_it_stops_and_tidies_up() {
    let registry = offered(60).await;
    let before = registry.tables().await;
    registry.site.queue(&week(1).weekly_name(), &[Fault::stall(1000)]);
    let run = start(&registry);
    registry.site.asked(&Site::path(&week(1).weekly_name())).await;
    program::signal(&run, libc::SIGTERM);
    program::finish(run).await.expect(143);
    registry.sound().await;
    assert!(registry.tables().await == before);
    registry.clinic.run(&ARGS).await.expect(3);
    registry.sound().await;
    assert!(registry.tables().await == undisturbed().await.1);
}

#[tokio::test]
async fn what_dead_runs_have_staged_is_dropped_by_the_next() {
    let registry = offered(60).await;
    for name in ["npi_stage_00000000000000000000000000000000", "npi_stage_0123456789abcdef0123456789abcdef"] {
        registry.clinic.sql(&format!("CREATE UNLOGGED TABLE rounds_staging.{name} (npi bigint)")).await;
    }
    registry.clinic.run(&ARGS).await.expect(3);
    registry.sound().await;
}

/// Only the owner of a table, or of its schema, may drop it.
#[tokio::test]
async fn what_another_role_has_left_holds_nothing_up_and_is_named() {
    let registry = offered(60).await;
    let role = JobRole::new(&registry.clinic, "refresh-npi").await;
    let (own, other) = ("npi_stage_00000000000000000000000000000000", "npi_stage_0123456789abcdef0123456789abcdef");
    let stranger = format!("stranger_{}", registry.clinic.database);
    registry
        .clinic
        .sql(&format!(
            "CREATE ROLE {stranger};
             CREATE UNLOGGED TABLE rounds_staging.{own} (npi bigint);
             ALTER TABLE rounds_staging.{own} OWNER TO {};
             CREATE UNLOGGED TABLE rounds_staging.{other} (npi bigint);
             ALTER TABLE rounds_staging.{other} OWNER TO {stranger}",
            role.name
        ))
        .await;
    let outcome = role.program.run(&ARGS).await.expect(3);
    assert!(outcome.stderr.contains(other) && outcome.stderr.contains(&stranger), "{outcome:?}");
    assert!(!outcome.stderr.contains(own), "{outcome:?}");
    let left =
        registry.clinic.json("SELECT jsonb_agg(relname) AS t FROM pg_class WHERE relname LIKE 'npi_stage_%'").await;
    assert_eq!(left["t"], serde_json::json!([other]));
    registry.clinic.sql(&format!("DROP TABLE rounds_staging.{other}")).await;
    registry.sound().await;
}

#[tokio::test]
async fn a_failure_of_the_database_in_the_merge_leaves_nothing_behind() {
    for table in ["npi_key", "npi_data", "search_surgeon", "npi_files"] {
        let registry = offered(60).await;
        let before = registry.tables().await;
        registry
            .clinic
            .sql(&format!(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                 CREATE TRIGGER fail BEFORE INSERT ON {table} EXECUTE FUNCTION fail()"
            ))
            .await;
        registry.clinic.run(&ARGS).await.expect(1);
        assert!(registry.tables().await == before, "{table}");
        registry.clinic.sql(&format!("DROP TRIGGER fail ON {table}")).await;
        registry.clinic.run(&ARGS).await.expect(3);
        registry.sound().await;
    }
}

/// The staging table is not logged: a server that crashes between staging and merge has emptied it.
#[tokio::test]
async fn what_the_server_has_lost_of_the_staging_is_staged_again() {
    const ROWS: i64 = 2000;
    let registry = Registry::with(&week(0).of(&crowd(0, ROWS))).await;
    registry.publish(&[week(1).of(&crowd(ROWS, ROWS))]);
    gate_staging(&registry).await;
    let run = registry.clinic.program.start(&["refresh-npi"]);
    gate::reached(&registry.clinic).await;
    // A holder of the run's row holds up the merge, and nothing of the staging but its first step.
    let holder = connect(&server().url(&registry.clinic.database)).await;
    holder.batch_execute("BEGIN; SELECT FROM cron_job_runs WHERE status = 'RUNNING' FOR UPDATE").await.expect("locked");
    let staging = "SELECT oid::regclass::text FROM pg_class WHERE relname LIKE 'npi\\_stage\\_%' AND relkind = 'r'";
    let table: String = registry.clinic.row(staging, &[]).await.get(0);
    gate::open(&registry.clinic).await;
    let staged = format!("SELECT count(*) FROM {table}");
    while registry.clinic.count(&staged).await < ROWS {
        sleep(Duration::from_millis(5)).await;
    }
    registry.clinic.sql(&format!("TRUNCATE {table}")).await;
    holder.batch_execute("COMMIT").await.expect("let go");
    let outcome = program::finish(run).await.expect(0);
    assert!(outcome.stderr.contains("STAGING_LOST"), "{}", outcome.stderr);
    assert_eq!(
        (outcome.count("loaded"), registry.clinic.count("SELECT count(*) FROM npi_data").await),
        (ROWS as u64, 2 * ROWS)
    );
    registry.sound().await;
}
