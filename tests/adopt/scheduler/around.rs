//! Around the sync: what the application goes on seeing, and which roles there are.

use serde_json::json;

use super::tables::KIT;
use super::{totals, with_visits};
use crate::adopt::support::faults;
use crate::support::keys::Kind;
use crate::support::program::finish;
use crate::support::role::JobRole;

#[tokio::test]
async fn the_application_sees_the_syncs_that_it_used_to_see() {
    let side = with_visits(1).await;
    side.sync.run(&[]).await.expect(0);
    side.sync.run(&["--incremental"]).await.expect(0);
    let (patient, manager) = (Kind::Uuid.text(1), Kind::Uuid.text(101));
    side.sync.run(&["--patient", &patient, "--actor", &manager]).await.expect(0);
    let logs = "SELECT jsonb_agg(jsonb_build_array(l.sync_type, l.metadata ->> 'rounds_sync_type', l.status,
                    l.appointments_new, l.appointments_unchanged, l.patients_processed, n(l.patient_id),
                    n(l.triggered_by_user_id), l.completed_at = o.completed_at, l.duration_ms = o.duration_ms)
                    ORDER BY o.id)
                FROM public.sync_logs l JOIN rounds.sync_logs o ON o.run_id = l.id";
    let expected = json!([
        ["automated_daily", "automated_daily", "completed", 1, 0, 1, null, null, true, true],
        ["webhook", "automated_incremental", "completed", 0, 1, 1, null, null, true, true],
        ["manual_patient", "manual_patient", "completed", 0, 1, 1, 1, 911, true, true],
    ]);
    assert_eq!(side.one(logs).await, expected);
    let fresh = "SELECT l.last_practiceq_sync_at = f.fresh_since AND p.last_intakeq_sync = f.fresh_since
                 FROM practiceq_freshness f, public.patients p, public.patient_organization_affiliations l";
    assert_eq!(side.one(fresh).await, true);
}

#[tokio::test]
async fn what_the_application_cannot_show_fails_no_run() {
    let side = with_visits(1).await;
    // The application holds the patient, and refuses all logs; then its columns and its table are gone.
    side.sync.clinic.sql("ALTER TABLE public.sync_logs ADD CHECK (status <> 'completed')").await;
    side.sync.clinic.sql("BEGIN; UPDATE public.patients SET phone = '+1556'").await;
    side.sync.run(&[]).await.expect(0);
    side.sync.clinic.sql("COMMIT").await;
    let shown = "SELECT jsonb_build_array((SELECT status FROM public.sync_logs),
                     (SELECT last_intakeq_sync IS NULL FROM public.patients),
                     (SELECT last_practiceq_sync_at IS NULL FROM public.patient_organization_affiliations),
                     (SELECT count(*) FROM sync_logs WHERE status = 'completed'))";
    assert_eq!(side.one(shown).await, json!(["in_progress", true, false, 1]));
    let gone = "DROP TABLE public.sync_logs; ALTER TABLE public.patients DROP COLUMN last_intakeq_sync";
    side.sync.clinic.sql(gone).await;
    side.sync.run(&["--incremental"]).await.expect(0);
    let outcome = side.sync.run(&[]).await.expect(0);
    assert_eq!(totals(&outcome)[2], 1);
    assert_eq!(side.sync.clinic.count("SELECT count(*) FROM sync_logs WHERE status = 'completed'").await, 3);
}

/// Under a role with the privileges that the kit and the README name, and no others.
#[tokio::test]
async fn the_jobs_role_needs_nothing_on_the_applications_tables() {
    let side = with_visits(2).await;
    let role = JobRole::new(&side.sync.clinic, "sync-practiceq").await;
    let run = async |args: &[&str]| finish(side.sync.start_with(&role.program, args)).await;
    assert_eq!(totals(&run(&[]).await.expect(0)), [2, 0, 0, 0]);
    side.sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
    side.sync.upstream.delete("a2");
    assert_eq!(run(&["--incremental"]).await.expect(0).count("deleted"), 1);
    let statuses = "SELECT jsonb_agg(status) FROM public.appointments";
    assert_eq!(side.one(statuses).await, json!(["cancelled", "cancelled"]));
    assert_eq!(
        side.one("SELECT jsonb_agg(sync_type ORDER BY started_at) FROM public.sync_logs").await,
        json!(["automated_daily", "webhook"])
    );
    role.drop(&side.sync.clinic).await;
}

#[tokio::test]
async fn the_kit_can_be_run_again_and_not_by_a_role_that_sees_less() {
    let side = with_visits(1).await;
    side.sync.clinic.sql(KIT).await;
    side.sync.run(&[]).await.expect(0);
    let role = format!("guest_{}", &*side.sync.clinic.database);
    let grants = format!("CREATE ROLE {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; SET ROLE {role}");
    side.sync.clinic.sql(&grants).await;
    let error = side.sync.clinic.client.batch_execute(KIT).await.expect_err("it sees less");
    let message = error.as_db_error().expect("of the server").message().to_owned();
    assert!(message.starts_with("row security hides rows of patients from"), "{message}");
    side.sync.clinic.sql(&format!("ROLLBACK; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")).await;
    // A zone that the server does not know is refused at once.
    let zone = "UPDATE rounds.facilities SET time_zone = 'Denver'";
    let error = side.sync.clinic.client.batch_execute(zone).await.expect_err("no zone");
    assert_eq!(error.code().map(|code| code.code()), Some("22023"));
}

#[tokio::test]
async fn rounds_check_finds_it_ready() {
    let side = with_visits(1).await;
    assert_eq!(faults(&side.sync.clinic, &["sync-practiceq"]).await, [""; 0]);
}
