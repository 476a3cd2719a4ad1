//! `rounds seed`: an empty database becomes the clinic of the demo, whole or not at all, and one with rows is left alone.

use std::time::{Duration, Instant};

use crate::support::program::{finish, signal};
use crate::support::{Clinic, connect, server};

/// The day of the demo at noon in New York.
const DAY: [&str; 4] = ["--day", "2026-03-02", "--as-of", "2026-03-02T12:00:00-05:00"];
/// The jobs that decide something in the clinic, each with what it has done by its report.
const JOBS: [(&[&str], &str); 9] = [
    (&["mark-no-shows"], "marked"),
    (&["stage-alerts"], "raised"),
    (&["escalate-sla"], "escalated"),
    (&["monitor-ticket-sla"], "recorded"),
    (&["escalate-tickets"], "notifications"),
    (&["advance-billing", "--stage", "pending-payment"], "advanced"),
    (&["apply-absences"], "appointments_cancelled"),
    (&["flag-schedule-conflicts"], "flagged"),
    (&["notify-cancellations"], "handled"),
];

async fn rows(clinic: &Clinic, table: &str) -> i64 {
    clinic.count(&format!("SELECT count(*) FROM rounds.{table}")).await
}

/// Nothing was made: not even the schema.
async fn assert_untouched(clinic: &Clinic) {
    assert_eq!(clinic.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'rounds'").await, 0);
}

#[tokio::test]
async fn an_empty_database_becomes_a_clinic_in_which_each_job_has_something_to_decide() {
    let clinic = Clinic::empty().await;
    let report = clinic.run(&[&["seed"][..], &DAY].concat()).await.expect(0).report();
    assert_eq!((&report["day"], &report["rows"]["facilities"]), (&"2026-03-02".into(), &3.into()), "{report}");
    for (job, done) in JOBS {
        let outcome = clinic.run(&[job, &DAY[2..]].concat()).await.expect(0);
        assert!(outcome.count(done) > 0, "{job:?}: {outcome:?}");
    }
    // The people have acted by then: who has checked in is no no-show.
    assert!(rows(&clinic, "appointments WHERE checked_in_at IS NOT NULL AND status <> 'NO_SHOW'").await > 2);
    clinic.sql("SET search_path = rounds; INSERT INTO facilities (name, time_zone) VALUES ('Next', 'UTC')").await;
    assert_eq!(clinic.count("SELECT max(id) FROM facilities").await, 4, "what comes next has a number of its own");
}

#[tokio::test]
async fn by_default_it_is_today() {
    let clinic = Clinic::empty().await;
    let today = "SELECT (now() AT TIME ZONE 'America/New_York')::date::text AS day";
    let before = clinic.json(today).await["day"].clone();
    let day = clinic.run(&["seed"]).await.expect(0).report()["day"].clone();
    let after = clinic.json(today).await["day"].clone();
    assert!([before, after].contains(&day), "{day}");
    // At whatever hour: visits of three days ago were never settled.
    let marked = clinic.run(&["mark-no-shows"]).await.expect(0).count("marked");
    assert!(marked > 0, "{marked}");
}

#[tokio::test]
async fn what_is_left_in_the_evening_is_no_surprise_to_a_first_run() {
    let clinic = Clinic::empty().await;
    let evening = ["--day", "2026-03-02", "--as-of", "2026-03-02T23:59:00-05:00"];
    clinic.run(&[&["seed"][..], &evening].concat()).await.expect(0);
    let program = clinic.program.clone().without("ROUNDS_FIRST_RUN_MAX");
    let outcome = program.run(&[&["mark-no-shows"][..], &evening[2..]].concat()).await.expect(0);
    assert!((20..100).contains(&outcome.count("marked")), "{outcome:?}");
}

#[tokio::test]
async fn a_database_with_a_row_is_refused_and_its_table_named() {
    let clinic = Clinic::new().await;
    let one = "INSERT INTO teams (name) VALUES ('Desk');
               INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
               SELECT id, 'visit', '1', 'X', 'x' FROM run";
    let run = "WITH run AS (INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
                            VALUES (gen_random_uuid(), 'prune', 'RUNNING', now(), now(), now(), 'h', 'v') RETURNING id)
               SELECT count(*) FROM run";
    clinic.sql(run).await;
    clinic.sql(&one.replace("FROM run", "FROM cron_job_runs")).await;
    let outcome = clinic.run(&["seed"]).await.expect(2);
    let said = outcome.report()["error_message"].to_string();
    assert!(said.contains("rows in cron_job_run_errors, cron_job_runs, teams"), "{outcome:?}");
    assert_eq!(outcome.report()["error_code"], "NOT_EMPTY");
    assert_eq!(rows(&clinic, "facilities").await, 0);
}

#[tokio::test]
async fn a_migrated_database_is_filled_once() {
    let clinic = Clinic::empty().await;
    clinic.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    assert_eq!(clinic.run(&["seed"]).await.expect(0).count("migrations"), 0);
    let visits = rows(&clinic, "appointments").await;
    let outcome = clinic.run(&["seed"]).await.expect(2);
    assert!(outcome.report()["error_message"].to_string().contains("appointments"), "{outcome:?}");
    assert_eq!(rows(&clinic, "appointments").await, visits);
}

#[tokio::test]
async fn the_schema_is_the_one_that_is_named() {
    let clinic = Clinic::empty().await;
    clinic.run(&["seed", "--schema", "play ground"]).await.expect(0);
    assert!(clinic.count("SELECT count(*) FROM \"play ground\".appointments").await > 100);
    assert_untouched(&clinic).await;
}

#[tokio::test]
async fn views_over_the_tables_of_an_application_are_not_filled() {
    let clinic = Clinic::empty().await;
    clinic.run(&["migrate"]).await.expect(0);
    clinic
        .sql("CREATE TABLE public.people (id int, name text); CREATE VIEW rounds.patients AS TABLE public.people")
        .await;
    let outcome = clinic.run(&["seed"]).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "RELATION_IN_THE_WAY", "{outcome:?}");
    assert_eq!(clinic.count("SELECT count(*) FROM public.people").await, 0);
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    let clinic = Clinic::empty().await;
    let report = clinic.run(&["seed", "--dry-run"]).await.expect(0).report();
    assert!(report["dry_run"] == true && report["rows"]["appointments"].as_i64() > Some(100), "{report}");
    assert_untouched(&clinic).await;
}

#[tokio::test]
async fn a_role_that_may_not_leaves_nothing() {
    let clinic = Clinic::empty().await;
    clinic.sql("CREATE ROLE seed_nobody LOGIN").await;
    let url = server().url(&clinic.database).replace("postgresql://rounds@", "postgresql://seed_nobody@");
    let program = clinic.program.clone().env("DATABASE_URL", &url);
    let outcome = program.run(&["seed"]).await;
    assert!(outcome.code != 0 && outcome.report()["error_code"] == "42501", "{outcome:?}");
    assert_untouched(&clinic).await;
    // Nor where the tables are another's.
    clinic.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    let outcome = program.run(&["seed"]).await;
    assert!(
        outcome.code != 0 && outcome.report()["error_message"].to_string().contains("nothing was filled"),
        "{outcome:?}"
    );
    assert_eq!(rows(&clinic, "facilities").await, 0);
    clinic.sql("DROP ROLE seed_nobody").await;
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_nothing() {
    let clinic = Clinic::empty().await;
    clinic.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    let other = connect(&server().url(&clinic.database)).await;
    other.batch_execute("BEGIN; LOCK TABLE rounds.tickets IN SHARE MODE").await.expect("nobody has it");
    let child = clinic.program.start(&["seed"]);
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rounds/seed' AND wait_event_type = 'Lock'";
    let began = Instant::now();
    while clinic.count(waits).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came to the tickets");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, libc::SIGTERM);
    finish(child).await;
    other.batch_execute("COMMIT").await.expect("it lives");
    let session = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rounds/seed'
                   AND datname = current_database()";
    while clinic.count(session).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "its session does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for table in ["facilities", "appointments", "px_cases", "tickets"] {
        assert_eq!(rows(&clinic, table).await, 0, "{table}");
    }
    clinic.run(&["seed"]).await.expect(0);
}
