//! Evidence that a table of ours did not take is an error, and not a success without evidence.

use serde_json::json;

use crate::support::Clinic;

const AT: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// A clinic with a facility whose zone nobody can read, which is one failed item of each run.
async fn with_a_failed_item() -> Clinic {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    clinic.facility("Mars/Olympus_Mons", None).await;
    clinic
}

/// Has rows of a table vanish without an error: by a rule, or by a trigger.
async fn swallow(clinic: &Clinic, table: &str, by: &str) {
    let sql = match by {
        "rule" => format!("CREATE RULE swallow AS ON INSERT TO {table} DO INSTEAD NOTHING"),
        _ => format!(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER swallow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()"
        ),
    };
    clinic.sql(&sql).await;
}

#[tokio::test]
async fn failed_items_are_recorded_also_where_an_identity_gives_a_key_again() {
    let clinic = with_a_failed_item().await;
    // Otherwise it is recorded once.
    let again = [&AT[..], &["--retry-refused"]].concat();
    for _ in 0..3 {
        clinic.run(&again).await.expect(3);
    }
    clinic.sql("ALTER TABLE cron_job_run_errors ALTER id RESTART WITH 1").await;
    let outcome = clinic.run(&again).await.expect(3);
    assert!(outcome.stderr.contains("cron_job_run_errors_pkey"), "it is told: {outcome:?}");
    let recorded = "SELECT count(*) FROM cron_job_run_errors e JOIN cron_job_runs r ON r.id = e.run_id";
    assert_eq!(clinic.count(recorded).await, 4);
    // Far behind, it is an error.
    clinic
        .sql(
            "INSERT INTO cron_job_run_errors (id, run_id, entity, entity_id, error_code, message) OVERRIDING SYSTEM VALUE
             SELECT n, r.id, 'x', n::text, 'X', 'x' FROM generate_series(100, 200) n, (SELECT id FROM cron_job_runs LIMIT 1) r;
             ALTER TABLE cron_job_run_errors ALTER id RESTART WITH 100",
        )
        .await;
    let report = clinic.run(&again).await.expect(1).report();
    assert_eq!(report["error_code"], "23505", "{report}");
    assert!(report["error_message"].as_str().is_some_and(|why| why.contains("recording failed items")), "{report}");
}

#[tokio::test]
async fn failed_items_that_are_dropped_fail_the_run() {
    for by in ["rule", "trigger"] {
        let clinic = with_a_failed_item().await;
        swallow(&clinic, "cron_job_run_errors", by).await;
        let report = clinic.run(&AT).await.expect(1).report();
        assert_eq!(report["error_code"], "EVIDENCE_LOST", "{by}: {report}");
        let why = report["error_message"].as_str().expect("a text");
        assert!(why.contains("cron_job_run_errors has taken 0 of 1 rows"), "{why}");
    }
}

/// It is not a takeover.
#[tokio::test]
async fn a_transaction_whose_evidence_is_dropped_is_not_made() {
    // The server itself refuses a rule where the statement has more parts.
    for (by, code) in [("rule", "0A000"), ("trigger", "EVIDENCE_LOST")] {
        let clinic = Clinic::with_visits(3).await;
        swallow(&clinic, "run_batches", by).await;
        let report = clinic.run(&AT).await.expect(1).report();
        assert_eq!(report["error_code"], code, "{by}: {report}");
        assert_eq!(clinic.effects().await, (0, 0, 0));
    }
}

#[tokio::test]
async fn an_act_that_is_not_recorded_is_not_done() {
    let clinic = Clinic::with_visits(1).await;
    let (facility, visit) = (1, "1");
    let nurse = clinic.user(facility, "NURSE").await.to_string();
    swallow(&clinic, "operator_actions", "trigger").await;
    let args = ["no-show", "mark", visit, "--reason", "MANUAL_STAFF", "--actor", &nurse];
    let report = clinic.run(&args).await.expect(1).report();
    assert_eq!(report["error_code"], "EVIDENCE_LOST", "{report}");
    assert_eq!(clinic.effects().await, (0, 0, 0));
}

#[tokio::test]
async fn names_that_are_not_recorded_as_shown_are_not_shown() {
    let clinic = Clinic::with_visits(1).await;
    let nurse = clinic.user(1, "NURSE").await.to_string();
    clinic
        .sql(
            "INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)
             SELECT a.id::text, 'NO_VITALS', 'CANARY', clock_timestamp() FROM appointments a",
        )
        .await;
    let args = ["alerts", "list", "--reveal", "--actor", &nurse];
    let shown = clinic.run(&args).await.expect(0).report();
    assert_eq!(shown["alerts"][0]["message"], json!("CANARY"), "{shown}");
    swallow(&clinic, "phi_access_log", "trigger").await;
    let outcome = clinic.run(&args).await.expect(1);
    assert!(!outcome.stdout.contains("CANARY") && outcome.stdout.contains("EVIDENCE_LOST"), "{outcome:?}");
}
