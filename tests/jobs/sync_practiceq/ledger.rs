//! Whatever the clinic's keys are made of, and whatever the application does with its rows: what the ledger has of a
//! visit, and what the clinic's table.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, skipped, totals};
use crate::support::keys::Kind;
use crate::support::practiceq::{Client, Sync, appointment};
use crate::support::{connect, program, server};

/// A client whom nobody knows.
const NEW: Client = Client { id: 900, name: "Newt Unknown", email: "newt@home.example", date_of_birth: "1990-09-09" };
/// This afternoon.
const TODAY: &str = "2026-03-02T20:00:00Z";

/// Pat, with one visit that has been imported.
async fn imported(kind: Kind) -> (Sync, i64) {
    let sync = Sync::of(kind).await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    assert_eq!(totals(&sync.sweep().await)[0], 1, "{kind:?}");
    (sync, pat)
}

/// The application deletes a patient with all that is of that patient.
async fn delete_patient(sync: &Sync, patient: i64) {
    sync.clinic
        .sql(&format!(
            "DELETE FROM appointments WHERE patient_id = k({patient});
             DELETE FROM patient_organization_affiliations WHERE patient_id = k({patient});
             DELETE FROM patients WHERE id = k({patient})"
        ))
        .await;
}

impl Sync {
    /// The clinic's rows alone, as the application sees them.
    async fn clinics_rows(&self) -> Value {
        self.one("SELECT jsonb_agg(a ORDER BY a.external_id) FROM appointments a").await
    }

    async fn marked_as_deleted(&self) -> Value {
        self.one("SELECT jsonb_agg(external_id) FROM practiceq_visits WHERE deleted_at IS NOT NULL").await
    }

    /// The id that a command takes for what waits for a person.
    async fn queued_as(&self, external_id: &str) -> String {
        let query = "SELECT id::text FROM practiceq_unmatched WHERE external_id = $1";
        self.clinic.row(query, &[&external_id]).await.get(0)
    }
}

#[tokio::test]
async fn all_lanes_and_decisions_work_with_keys_of_any_type() {
    for kind in Kind::ALL {
        let (sync, pat) = imported(kind).await;
        let ann = sync.patient_of(&ANN).await;
        let [pat_key, ann_key, manager, organization] =
            [pat, ann, sync.case_manager, sync.organization].map(|id| kind.text(id));
        sync.upstream.put(appointment("b1", &ANN, TODAY));
        let lane = ["--patient", &ann_key, "--actor", &manager];
        assert_eq!(totals(&sync.ends(0, &lane).await)[0], 1, "{kind:?}");
        sync.upstream.edit("a1", |row| row["Status"] = json!("Canceled"));
        let lane = ["--organization", &organization, "--actor", &manager];
        assert_eq!(totals(&sync.ends(0, &lane).await)[1], 1, "{kind:?}");
        let log = sync.clinic.json("SELECT * FROM sync_logs ORDER BY id DESC LIMIT 1").await;
        let who = [&log["organization_id"], &log["organization_name"], &log["triggered_by_user_id"]];
        assert_eq!(who, [&json!(organization), &json!("O"), &json!(manager)], "{kind:?}");
        let cancelled = sync.stored("a1").await;
        assert_eq!(
            (&cancelled["status"], cancelled["cancelled_at"].is_null()),
            (&json!("CANCELLED"), false),
            "{kind:?}"
        );
        // Somebody else's now; and gone: both are told.
        sync.upstream.edit("b1", |row| {
            (row["ClientId"], row["ClientEmail"]) = (json!(PAT.id), json!(PAT.email));
        });
        assert_eq!(totals(&sync.ends(0, &["--incremental"]).await)[1], 1, "{kind:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat, "b1": pat}), "{kind:?}");
        sync.upstream.delete("b1");
        assert_eq!(sync.ends(0, &["--incremental"]).await.count("deleted"), 1, "{kind:?}");
        let told = "SELECT jsonb_agg(jsonb_build_array(recipient_id, entity_id) ORDER BY id) FROM notifications";
        let visit = sync.one("SELECT appointment_id FROM practiceq_visits WHERE external_id = 'b1'").await;
        assert_eq!(sync.one(told).await, json!([[manager, visit], [manager, visit]]), "{kind:?}");
        // Of nobody: a person decides.
        for visit in ["n1", "n2"] {
            sync.upstream.put(appointment(visit, &NEW, LATER));
        }
        sync.sweep().await;
        let list = ["practiceq", "unmatched", "list", "--reveal", "--actor", &manager];
        let listed = sync.clinic.run(&list).await.expect(0).report();
        assert_eq!(listed["unmatched"][0]["client_name"], NEW.name, "{kind:?}: {listed}");
        let queued = sync.queued_as("n1").await;
        let link = ["practiceq", "unmatched", "link", &queued, "--patient", &pat_key, "--actor", &manager];
        let linked = sync.clinic.run(&link).await.expect(0).report();
        assert_eq!((&linked["patient_id"], &linked["appointments"]), (&json!(pat_key), &json!(2)), "{kind:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat, "n1": pat, "n2": pat}), "{kind:?}");
        let before = sync.clinics_rows().await;
        assert_eq!(totals(&sync.sweep().await)[..3], [0, 0, 3], "{kind:?}");
        assert_eq!(sync.clinics_rows().await, before, "{kind:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_of_the_clinics_is_refused_whatever_it_looks_like() {
    for kind in Kind::ALL {
        let (sync, pat) = imported(kind).await;
        let (pat, admin) = (kind.text(pat), kind.text(sync.admin));
        sync.upstream.put(appointment("n1", &NEW, LATER));
        sync.sweep().await;
        let queued = sync.queued_as("n1").await;
        for id in ["no-id-of-any-kind", "99999999999999999999", "' OR true --", "7c9e6679-7425-40de-944b-e07fc1f90ae7"]
        {
            let message = sync.refused(&["--patient", id], "UNKNOWN_PATIENT").await;
            assert!(message.contains(id), "{kind:?}: {message}");
            sync.refused(&["--organization", id], "UNKNOWN_ORGANIZATION").await;
            sync.refused(&["--patient", &pat, "--actor", id], "ACTOR_UNKNOWN").await;
            let link = ["practiceq", "unmatched", "link", &queued, "--patient", id, "--actor", &admin];
            let report = sync.clinic.run(&link).await.expect(2).report();
            assert_eq!(report["error_code"], "UNKNOWN_PATIENT", "{kind:?}: {report}");
        }
    }
}

#[tokio::test]
async fn a_cursor_has_the_servers_form_of_an_id() {
    let (sync, pat) = imported(Kind::Uuid).await;
    sync.clinic
        .sql(
            "INSERT INTO patients (id, mrn, first_name, last_name, email)
                     VALUES ('00000000-0000-0000-0000-00000000abcd', 'X', 'Xa', 'Xo', 'x@home.example');
                     INSERT INTO patient_organization_affiliations (patient_id, organization_id)
                     SELECT '00000000-0000-0000-0000-00000000abcd', id FROM organizations",
        )
        .await;
    let as_typed = " 00000000-0000-0000-0000-00000000ABCD";
    sync.ends(0, &["--patient", as_typed]).await;
    let log = sync.one("SELECT patient_id FROM sync_logs ORDER BY id DESC LIMIT 1").await;
    assert_eq!(log, as_typed.trim().to_lowercase());
    let fresh = "SELECT jsonb_agg(patient_id ORDER BY patient_id) FROM practiceq_freshness";
    assert_eq!(sync.one(fresh).await, json!([Kind::Uuid.text(pat), as_typed.trim().to_lowercase()]));
}

#[tokio::test]
async fn what_only_the_ledger_has_changes_only_the_ledger() {
    for kind in Kind::ALL {
        let (sync, _) = imported(kind).await;
        let before = sync.clinics_rows().await;
        sync.upstream.edit("a1", |row| {
            row["ServiceName"] = json!("Another");
            row["TelehealthInfo"]["JoinUrl"] = json!("https://meet.example/join/other");
            row["LocationName"] = Value::Null;
        });
        // It is an update all the same, and waits for whoever holds the visit.
        sync.clinic.sql("BEGIN; SELECT FROM appointments FOR NO KEY UPDATE").await;
        assert_eq!(skipped(&sync.sweep().await, "locked"), 1, "{kind:?}");
        sync.clinic.sql("COMMIT").await;
        assert_eq!(totals(&sync.sweep().await)[..2], [0, 1], "{kind:?}");
        assert_eq!(sync.clinics_rows().await, before, "{kind:?}");
        let stored = sync.stored_as("a1", ["service_name", "meeting_url", "location_name"]).await;
        assert_eq!(stored, [json!("Another"), json!("https://meet.example/join/other"), Value::Null], "{kind:?}");
        // A deletion, too.
        sync.upstream.delete("a1");
        assert_eq!(sync.sweep().await.count("deleted"), 1, "{kind:?}");
        assert_eq!(sync.clinics_rows().await, before, "{kind:?}");
    }
}

#[tokio::test]
async fn a_visit_whose_row_the_application_deleted_is_stored_anew() {
    for kind in Kind::ALL {
        let (sync, pat) = imported(kind).await;
        sync.upstream.put(appointment("a2", &PAT, LATER));
        sync.sweep().await;
        let first = sync.stored("a1").await["id"].clone();
        sync.clinic.sql("DELETE FROM appointments WHERE external_id = 'a1'").await;
        assert_eq!(totals(&sync.sweep().await)[..3], [1, 0, 1], "{kind:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat, "a2": pat}), "{kind:?}: the ledger names the new row");
        assert_ne!(sync.stored("a1").await["id"], first, "{kind:?}");
        assert_eq!(totals(&sync.sweep().await)[..3], [0, 0, 2], "{kind:?}");
        // A row that the application made again under another id is taken over, with the status that it has.
        sync.clinic
            .sql(
                "CREATE TEMPORARY TABLE kept AS SELECT * FROM appointments WHERE external_id = 'a1';
                 DELETE FROM appointments WHERE external_id = 'a1';
                 INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date,
                                           start_time, status)
                 SELECT facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time,
                        'COMPLETED' FROM kept",
            )
            .await;
        assert_eq!(totals(&sync.sweep().await)[..3], [0, 1, 1], "{kind:?}");
        assert_eq!(sync.stored("a1").await["status"], "COMPLETED", "{kind:?}");
        assert_eq!(sync.clinic.count("SELECT count(*) FROM notifications").await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_deletion_of_what_the_application_deleted_is_marked_and_told_to_nobody() {
    for kind in Kind::ALL {
        let (sync, _) = imported(kind).await;
        sync.upstream.put(appointment("today", &PAT, TODAY));
        sync.sweep().await;
        sync.clinic.sql("DELETE FROM appointments").await;
        sync.upstream.delete("today");
        assert_eq!(sync.ends(0, &["--incremental"]).await.count("deleted"), 1, "{kind:?}");
        assert_eq!(sync.marked_as_deleted().await, json!(["today"]), "{kind:?}");
        assert_eq!(sync.clinic.count("SELECT count(*) FROM notifications").await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_link_to_a_patient_who_is_gone_is_none() {
    for kind in Kind::ALL {
        let (sync, pat) = imported(kind).await;
        sync.upstream.put(appointment("b1", &ANN, LATER));
        let ann = sync.patient_of(&ANN).await;
        delete_patient(&sync, pat).await;
        // The client waits for a person; the others go on.
        let outcome = sync.sweep().await;
        assert_eq!((totals(&outcome)[0], outcome.count("unmatched")), (1, 1), "{kind:?}: {outcome:?}");
        assert_eq!((sync.whose().await, sync.open().await), (json!({"b1": ann}), json!({"a1": "NOBODY"})), "{kind:?}");
        assert_eq!(sync.marked_as_deleted().await, json!(["a1"]), "{kind:?}: it is in nobody's chart");
        // A new chart of the same person is found, and the link is that chart's.
        let again = sync.patient_of(&PAT).await;
        assert_eq!(totals(&sync.sweep().await)[0], 1, "{kind:?}");
        assert_eq!(sync.whose().await, json!({"a1": again, "b1": ann}), "{kind:?}");
        let linked = "SELECT n(patient_id) FROM practiceq_clients WHERE client_id = '100'";
        assert_eq!(sync.one(linked).await, again, "{kind:?}");
    }
}

#[tokio::test]
async fn a_decision_for_a_patient_who_is_gone_is_asked_for_again() {
    for kind in Kind::ALL {
        let (sync, pat) = imported(kind).await;
        let ann = sync.patient_of(&ANN).await;
        let admin = kind.text(sync.admin);
        let decide = async |command: &str, more: &[&str]| {
            let id = sync.queued_as("n1").await;
            let args = [&["practiceq", "unmatched", command, &id, "--actor", &admin], more].concat();
            sync.clinic.run(&args).await.expect(0)
        };
        sync.upstream.put(appointment("n1", &NEW, LATER));
        sync.sweep().await;
        decide("link", &["--patient", &kind.text(ann)]).await;
        delete_patient(&sync, ann).await;
        assert_eq!(sync.sweep().await.count("unmatched"), 1, "{kind:?}");
        assert_eq!(sync.open().await, json!({"n1": "NOBODY"}), "{kind:?}");
        // The client's link to the patient who is gone hinders nobody.
        decide("link", &["--patient", &kind.text(pat), "--dry-run"]).await;
        decide("ignore", &["--client", "--dry-run"]).await;
        decide("link", &["--patient", &kind.text(pat)]).await;
        sync.upstream.put(appointment("n2", &NEW, LATER));
        sync.sweep().await;
        assert_eq!(sync.whose().await, json!({"a1": pat, "n1": pat, "n2": pat}), "{kind:?}");
    }
}

#[tokio::test]
async fn a_facility_without_a_readable_zone_is_reported_and_the_others_go_on() {
    // One that nobody knows, and one that only the server does not.
    for (kind, zone) in [
        (Kind::Bigint, "Nowhere/At All"),
        (Kind::Uuid, "US/Pacific"),
        (Kind::TextViews, "Nowhere/At All"),
        (Kind::TextViews, "US/Pacific"),
    ] {
        let (sync, pat) = imported(kind).await;
        let table = if kind == Kind::TextViews { "app.facilities" } else { "facilities" };
        let elsewhere = sync.clinic.facility("Europe/Berlin", None).await;
        let doctor = sync.clinic.doctor(elsewhere, Some(30)).await;
        sync.clinic
            .sql(&format!(
                "ALTER TABLE {table} DROP CONSTRAINT facilities_time_zone_known;
                 INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES (k({doctor}), 'prac-2');
                 UPDATE facilities SET time_zone = '{zone}' WHERE id = k({})",
                sync.facility
            ))
            .await;
        sync.clinic.forget_zone("US/Pacific").await;
        sync.upstream.put(appointment("a2", &PAT, LATER));
        let mut abroad = appointment("a3", &PAT, LATER);
        (abroad["PractitionerId"], abroad["PractitionerEmail"]) = (json!("prac-2"), Value::Null);
        sync.upstream.put(abroad);
        let outcome = sync.ends(3, &[]).await;
        assert_eq!((totals(&outcome)[0], skipped(&outcome, "no_zone")), (1, 2), "{kind:?}: {outcome:?}");
        let error = &outcome.report()["errors"][0];
        let expected = json!({"entity": "facility", "id": kind.text(sync.facility), "code": "UNKNOWN_TIME_ZONE"});
        assert_eq!((error, outcome.count("failed")), (&expected, 1), "{kind:?}");
        assert_eq!(sync.whose().await, json!({"a1": pat, "a3": pat}), "{kind:?}");
        // What is deleted there is marked; nobody can be told of a day that nobody knows.
        sync.upstream.delete("a1");
        assert_eq!(sync.ends(3, &[]).await.count("deleted"), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_time_of_the_clinics_that_cannot_be_read_is_written_again() {
    let (sync, _) = imported(Kind::TextViews).await;
    for (written, changes) in [("9h", 1), ("12:00", 0)] {
        sync.clinic.sql(&format!("UPDATE appointments SET start_time = '{written}'")).await;
        assert_eq!(totals(&sync.sweep().await)[1], changes, "{written}");
    }
    assert_eq!(sync.stored("a1").await["start_time"], "12:00");
}

/// The links are read before the statement that stores, which sees those that were made in between.
#[tokio::test]
async fn a_link_that_is_made_while_a_page_is_stored_is_not_overlooked() {
    let (sync, pat) = imported(Kind::Bigint).await;
    let ann = sync.patient_of(&ANN).await;
    sync.upstream.put(appointment("n1", &NEW, LATER));
    let queued = sync.sweep().await;
    assert_eq!(queued.count("unmatched"), 1, "{queued:?}");
    // The activity is looked at from outside of the transaction, which would see it as it was once.
    let holder = connect(&server().url(&sync.clinic.database)).await;
    holder.batch_execute("BEGIN; LOCK TABLE appointments").await.expect("locked");
    let run = sync.start(&[]);
    sync.clinic.waiting(1).await;
    let link = format!("INSERT INTO practiceq_clients VALUES ('900', '{ann}', '{}', now(), NULL); COMMIT", sync.admin);
    holder.batch_execute(&link).await.expect("linked");
    let outcome = program::finish(run).await.expect(0);
    assert_eq!((skipped(&outcome, "changed"), outcome.count("deleted")), (1, 0), "{outcome:?}");
    assert_eq!(sync.open().await, json!({"n1": "NOBODY"}));
    assert_eq!(totals(&sync.sweep().await)[0], 1);
    assert_eq!(sync.whose().await, json!({"a1": pat, "n1": ann}));
}
