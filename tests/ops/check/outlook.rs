//! What a job would do now.

use std::time::{Duration, Instant};

use super::Checked;
use crate::support::{Clinic, program};

#[tokio::test]
async fn a_dry_run_that_fails_or_would_meet_the_brake_is_told() {
    let clinic = Clinic::with_visits(3).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'CANARY %', NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 2)
                 EXECUTE FUNCTION refuse()",
        )
        .await;
    let at = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    let checked = Checked::of(&clinic, &at).await;
    let words = ["would change 2 items now, the oldest for 0 s; 1 could not be judged or changed"];
    let fault = checked.fault(Some("mark-no-shows"), "outlook", "warning", &words);
    assert_eq!(fault["remedy"]["text"], "rounds mark-no-shows --dry-run");
    let braked = Checked::by(&clinic.program.clone().env("ROUNDS_MAX_ITEMS", "2"), &at).await;
    braked.fault(Some("mark-no-shows"), "outlook", "warning", &["the brake would stop it", "more than 2"]);
    let lost = "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM 1 FROM nowhere; RETURN NEW; END';
                CREATE TRIGGER a_lost BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION lost()";
    clinic.sql(lost).await;
    let lost = Checked::of(&clinic, &at).await;
    lost.fault(Some("mark-no-shows"), "outlook", "failure", &["a dry run failed", "42P01"]);
}

/// The first dry run takes the signals from the system; each of them has to end the whole command all the same.
#[tokio::test]
async fn a_signal_ends_the_command_and_not_only_the_dry_run() {
    let clinic = Clinic::with_visits(1).await;
    let slowly = "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
                      'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
                  CREATE TRIGGER slowly BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION slowly()";
    clinic.sql(slowly).await;
    for (signal, code) in [(libc::SIGHUP, 129), (libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        let args = ["check", "mark-no-shows", "stage-alerts", "--as-of", "2026-03-02T09:15:00-05:00"];
        let child = clinic.program.start(&args);
        sleeping(&clinic, 1).await;
        program::signal(&child, signal);
        let outcome = program::finish(child).await.expect(code);
        let report = outcome.report();
        assert_eq!(report["ready"], false, "{report:#}");
        let findings = report["findings"].as_array().expect("a list");
        assert!(findings.iter().any(|one| one["topic"] == "rows"), "what was found is told: {report:#}");
        assert!(!findings.iter().any(|one| one["topic"] == "outlook"), "no other dry run is begun: {report:#}");
        sleeping(&clinic, 0).await;
    }
}

/// Waits until so many statements of the command are in the trigger.
async fn sleeping(clinic: &Clinic, statements: i64) {
    let query = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let began = Instant::now();
    while clinic.count(query).await != statements {
        assert!(began.elapsed() < Duration::from_secs(30), "{statements} statements never slept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
