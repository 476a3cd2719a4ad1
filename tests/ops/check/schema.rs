//! Our tables.

use serde_json::json;

use super::Checked;
use crate::support::Clinic;

/// Breaks our tables in every way that is compared.
const BREAK: &str = "
    ALTER TABLE cron_job_runs ALTER lane DROP NOT NULL, ALTER lane DROP DEFAULT;
    ALTER TABLE no_show_logs DROP COLUMN notes, ALTER timeout_minutes TYPE bigint;
    DROP INDEX sync_logs_started; DROP INDEX search_surgeon_state;
    ALTER TABLE sync_logs DISABLE TRIGGER sync_logs_touch;
    ALTER TABLE cron_job_run_errors DISABLE TRIGGER ALL;
    ALTER TABLE stage_alerts DROP CONSTRAINT stage_alerts_once;
    ALTER TABLE notifications DROP CONSTRAINT notifications_priority_check;
    ALTER TABLE notifications ADD CONSTRAINT notifications_priority_check
        CHECK (priority IN ('NORMAL', 'HIGH')) NOT VALID;
    DROP TABLE px_case_audits;
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_logs_organization'::regclass;
    CREATE OR REPLACE VIEW v_recent_sync_activity AS
        SELECT l.id, l.sync_type, l.organization_id, l.organization_name, l.patient_id, l.triggered_by_user_id,
               l.triggered_by_name, l.started_at, l.completed_at, l.duration_ms, l.status, l.appointments_new,
               l.appointments_updated, l.appointments_unchanged, l.appointments_errors, l.patients_processed,
               l.patients_failed, l.error_message, l.unknown_practitioners
        FROM sync_logs l WHERE l.status <> 'in_progress' ORDER BY l.started_at DESC, l.id DESC LIMIT 100;
    CREATE OR REPLACE FUNCTION sync_logs_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    ALTER TABLE sync_logs ADD demanded int NOT NULL;
    -- An operator's own are no fault.
    CREATE TABLE own (id int); CREATE INDEX own_index ON no_show_logs (created_by);
    ALTER TABLE no_show_logs ADD own_column int";

#[tokio::test]
async fn our_tables_are_compared_with_those_that_migrate_makes() {
    let clinic = Clinic::new().await;
    clinic.run(&["migrate", "--check"]).await.expect(0);
    clinic.sql(BREAK).await;
    let outcome = clinic.run(&["migrate", "--check"]).await.expect(1);
    let broken = outcome.report()["broken"].as_array().expect("a list").clone();
    let words = [
        "column lane of cron_job_runs is text, and should be text NOT NULL DEFAULT",
        "column notes of no_show_logs is not there",
        "column timeout_minutes of no_show_logs is bigint, and should be integer",
        "index sync_logs_started of sync_logs is not there",
        "index search_surgeon_state of search_surgeon is not there",
        "trigger sync_logs_touch of sync_logs is disabled",
        "of cron_job_run_errors is disabled",
        "constraint stage_alerts_once of stage_alerts is not there",
        "constraint notifications_priority_check of notifications is not validated",
        "relation px_case_audits is not there",
        "index sync_logs_organization of sync_logs is invalid",
        "view v_recent_sync_activity selects something else",
        "function sync_logs_touch does something else",
        "column demanded of sync_logs is of others and NOT NULL without a default",
    ];
    let notes = outcome.report()["notes"].clone();
    assert_eq!(notes, json!(["column own_column of no_show_logs", "index own_index of no_show_logs"]));
    assert_eq!(broken.len(), words.len(), "{broken:#?}");
    for word in words {
        assert!(broken.iter().any(|one| one["what"].as_str().expect("a text").contains(word)), "{word}: {broken:#?}");
    }
    let text = clinic.run(&["migrate", "--check", "--output", "text"]).await.expect(1).stdout;
    assert!(
        text.starts_with("Broken:\n  trigger of a foreign key of cron_job_run_errors is disabled\n    ALTER"),
        "{text}"
    );
    // It mends nothing of it, and says so; nothing is pending, so it has not failed.
    let migrated = clinic.run(&["migrate", "--output", "text"]).await.expect(0);
    let differs = format!("{} things differ from what they should be: rounds migrate --check", words.len());
    assert!(
        migrated.stderr.contains(&differs) && migrated.stdout.starts_with("All migrations are applied"),
        "{migrated:?}"
    );
    let run = clinic.run(&["escalate-sla"]).await;
    let why = run.report()["error_message"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("`rounds check JOB`") && why.contains("`rounds migrate --check`"), "{run:?}");
    let checked = Checked::of(&clinic, &["prune"]).await;
    for word in words {
        checked.fault(None, "schema", "failure", &[word]);
    }
    assert_eq!(checked.faults().len(), words.len(), "{:#?}", checked.faults());
    checked.mend(&clinic).await;
    // What is made anew lacks its indexes.
    Checked::of(&clinic, &["prune"]).await.mend(&clinic).await;
    Checked::of(&clinic, &["prune"]).await.ready();
    let whole = clinic.run(&["migrate", "--check", "--output", "text"]).await.expect(0).stdout;
    let note = "Beside it, of others:\n  column own_column of no_show_logs\n";
    assert!(whole.contains(note) && whole.contains("\n  column demanded of sync_logs\n"), "{whole}");
}

#[tokio::test]
async fn a_database_that_is_not_ours_or_of_another_version_is_told_first() {
    let clinic = Clinic::empty().await;
    let checked = Checked::of(&clinic, &[]).await;
    let fault = checked.fault(None, "schema", "failure", &["NOT_OUR_DATABASE"]);
    assert_eq!(fault["remedy"], json!({ "kind": "command", "text": "rounds migrate" }));
    clinic.run(&["migrate"]).await.expect(0);
    // Without the clinic's tables these run, but nobody is told of their failures.
    let alone = Checked::of(&clinic, &["prune", "refresh-npi"]).await;
    alone.fault(None, "statements", "warning", &["nobody can be told", "relation \"users\" does not exist"]);
    assert_eq!((alone.code, alone.faults().len()), (0, 1), "{:#?}", alone.faults());
    clinic.sql("CREATE TABLE users (id int, role text, active boolean, facility_id int)").await;
    clinic.sql("DELETE FROM rounds_migrations m WHERE version = (SELECT max(version) FROM rounds_migrations)").await;
    Checked::of(&clinic, &["prune"]).await.fault(None, "schema", "failure", &["SCHEMA_BEHIND"]);
    clinic.sql("INSERT INTO rounds_migrations VALUES (99, 'later', 'x', 'x')").await;
    let newer = Checked::of(&clinic, &["prune"]).await.ready();
    assert!(
        newer.findings().any(|one| one["what"].as_str().is_some_and(|what| what.contains("newer than this binary")))
    );
}
