//! A clinic that has its tables already, under other names: docs/adopting.md.

use serde_json::json;

use crate::support::Clinic;
use crate::support::practiceq::{Client, Sync, appointment};

/// Puts each table out of the way, and a view of it in its place; one column of one is computed.
async fn behind_views(clinic: &Clinic) {
    for table in ["appointments", "doctor_slots", "patient_organization_affiliations"] {
        clinic
            .sql(&format!(
                "ALTER TABLE {table} RENAME TO app_{table}; CREATE VIEW {table} AS SELECT * FROM app_{table}"
            ))
            .await;
    }
    clinic
        .sql(
            "ALTER TABLE patients RENAME TO app_people;
             CREATE VIEW patients AS SELECT id, mrn, first_name, last_name, date_of_birth, lower(email) AS email, phone, sms_opt_out
                                     FROM app_people",
        )
        .await;
}

#[tokio::test]
async fn a_job_works_through_views_and_keeps_out_of_the_applications_way() {
    let clinic = Clinic::with_visits(3).await;
    behind_views(&clinic).await;
    // The application holds a row of its own table.
    clinic.sql("BEGIN; SELECT FROM app_appointments WHERE id = 2 FOR NO KEY UPDATE").await;
    let report = clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).report();
    assert_eq!((&report["marked"], &report["skipped_by_reason"]), (&json!(2), &json!({ "locked": 1 })), "{report}");
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).count("marked"), 1);
    assert_eq!(clinic.count("SELECT count(*) FROM app_appointments WHERE status = 'NO_SHOW'").await, 3);
    assert_eq!(clinic.count("SELECT count(*) FROM no_show_logs").await, 3);
}

/// docs/adopting.md, "Triggers of the application".
#[tokio::test]
async fn a_trigger_of_the_application_needs_a_path_of_its_own() {
    let clinic = Clinic::with_visits(3).await;
    let trigger = "CREATE TABLE public.audit_log (visit bigint);
                   CREATE FUNCTION public.log_visit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                       INSERT INTO audit_log VALUES (NEW.id); RETURN NEW;
                   END $$;
                   CREATE TRIGGER log_visit BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION public.log_visit()";
    clinic.sql(trigger).await;
    let report = clinic.mark("2026-03-02T09:15:00-05:00").await.expect(1).report();
    assert_eq!((&report["error_code"], &report["marked"]), (&json!("42P01"), &json!(0)), "{report}");
    clinic.sql("ALTER FUNCTION public.log_visit() SET search_path = public").await;
    assert_eq!(clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).count("marked"), 3);
    assert_eq!(clinic.count("SELECT count(*) FROM public.audit_log").await, 3);
}

/// A view that translates what is written; the row beneath is still locked and skipped.
#[tokio::test]
async fn a_row_behind_a_translating_view_is_locked_too() {
    let clinic = Clinic::with_visits(3).await;
    let view = "ALTER TABLE appointments RENAME TO app_appointments;
                CREATE VIEW appointments AS SELECT * FROM app_appointments;
                CREATE FUNCTION translate() RETURNS trigger LANGUAGE plpgsql SET search_path = rounds AS $$ BEGIN
                    UPDATE app_appointments SET status = NEW.status, updated_at = NEW.updated_at WHERE id = NEW.id;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER translate INSTEAD OF UPDATE ON appointments
                    FOR EACH ROW EXECUTE FUNCTION translate()";
    clinic.sql(view).await;
    clinic.sql("BEGIN; SELECT FROM app_appointments WHERE id = 2 FOR NO KEY UPDATE").await;
    let report = clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).report();
    assert_eq!((&report["marked"], &report["skipped_by_reason"]), (&json!(2), &json!({ "locked": 1 })), "{report}");
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0).count("marked"), 1);
}

#[tokio::test]
async fn the_sync_inserts_and_updates_through_views() {
    const PAT: Client = Client { id: 7, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
    let sync = Sync::new().await;
    sync.patient("Pat", "Doe", Some("PAT@home.example"), Some("1980-04-02")).await;
    behind_views(&sync.clinic).await;
    sync.upstream.put(appointment("a1", &PAT, "2026-03-10T18:00:00Z"));
    assert_eq!(sync.run(&[]).await.expect(0).report()["total_appointments"]["new"], 1);
    sync.upstream.edit("a1", |row| row["ServiceName"] = json!("Another"));
    assert_eq!(sync.run(&["--incremental"]).await.expect(0).report()["total_appointments"]["updated"], 1);
    let stored = "SELECT count(*) FROM app_appointments a JOIN practiceq_visits v USING (external_id)
                  WHERE external_id = 'a1' AND v.service_name = 'Another'";
    assert_eq!(sync.clinic.count(stored).await, 1);
}
