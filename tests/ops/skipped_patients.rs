//! `rounds practiceq patients`: who may say that the sync leaves out a patient, and what that does.

use serde_json::{Value, json};

use super::{ROLES, group_user, refused};
use crate::support::practiceq::{Client, Sync, appointment};
use crate::support::program::Outcome;

const MAY: [&str; 3] = ["HOSPITAL_ADMIN", "SUPERVISOR", "CASE_MANAGER"];
const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };

/// Pat, who has a visit and an e-mail, and Al, who has neither.
async fn with_al() -> (Sync, i64, i64) {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    let al = sync.patient("Al", "Fox", None, None).await;
    sync.upstream.put(appointment("a1", &PAT, "2026-03-10T18:00:00Z"));
    (sync, pat, al)
}

impl Sync {
    async fn about_patient(&self, command: &str, patient: i64, actor: i64, more: &[&str]) -> Outcome {
        let (patient, actor) = (patient.to_string(), actor.to_string());
        let args = ["practiceq", "patients", command, &patient, "--actor", &actor];
        self.clinic.run(&[&args, more].concat()).await
    }

    async fn skip(&self, patient: i64, actor: i64, more: &[&str]) -> Outcome {
        self.about_patient("skip", patient, actor, &[&["--reason", "CANARY pays in cash"], more].concat()).await
    }

    /// Who is left out, and whether that is in effect.
    async fn left_out(&self) -> Value {
        let report = self.clinic.run(&["practiceq", "patients", "list"]).await.expect(0).report();
        let rows = report["patients"].as_array().expect("a list").clone();
        rows.iter().map(|row| json!([row["patient_id"], row["in_effect"]])).collect()
    }
}

#[tokio::test]
async fn who_is_known_to_be_left_out_fails_no_run() {
    let (sync, _, al) = with_al().await;
    sync.run(&[]).await.expect(3);
    let report = sync.skip(al, sync.case_manager, &[]).await.expect(0).report();
    assert_eq!(report, json!({"ok": true, "dry_run": false, "patient_id": al.to_string(), "status": "skipped"}));
    let organization = sync.organization.to_string();
    for lane in [&[][..], &["--incremental"], &["--organization", &organization]] {
        let outcome = sync.run(lane).await.expect(0);
        let counts = ["total_patients", "patients_processed", "patients_failed", "patients_skipped", "failed"];
        assert_eq!(counts.map(|key| outcome.count(key)), [2, 1, 0, 1, 0], "{lane:?}: {outcome:?}");
        let log = sync.clinic.json("SELECT status, metadata FROM sync_logs ORDER BY id DESC LIMIT 1").await;
        assert_eq!((&log["status"], &log["metadata"]["patients_skipped"]), (&json!("completed"), &json!(1)), "{log}");
    }
    let fresh = format!("SELECT count(*) FROM practiceq_freshness WHERE patient_id = '{al}'");
    assert_eq!(sync.clinic.count(&fresh).await, 0, "nothing was read of him");
    // Whoever asks for that one patient is told.
    let report = sync.run(&["--patient", &al.to_string()]).await.expect(1).report();
    assert_eq!(report["errors"][0]["code"], "NO_EMAIL", "{report}");
    assert_eq!(sync.left_out().await, json!([[al.to_string(), true]]));
    sync.about_patient("unskip", al, sync.admin, &[]).await.expect(0);
    assert_eq!(sync.left_out().await, json!([]));
    sync.run(&[]).await.expect(3);
}

#[tokio::test]
async fn who_has_an_address_is_synced_whatever_was_said() {
    let (sync, pat, al) = with_al().await;
    refused(sync.skip(pat, sync.admin, &[]).await, 2, "CAN_BE_SYNCED");
    sync.skip(al, sync.admin, &[]).await.expect(0);
    sync.clinic.sql(&format!("UPDATE patients SET email = 'al@home.example' WHERE id = {al}")).await;
    let client = Client { id: 300, name: "Al Fox", email: "al@home.example", date_of_birth: "" };
    sync.upstream.put(appointment("b1", &client, "2026-03-10T18:00:00Z"));
    let outcome = sync.run(&[]).await.expect(0);
    assert_eq!((outcome.count("patients_skipped"), outcome.count("patients_processed")), (0, 2), "{outcome:?}");
    assert_eq!(sync.left_out().await, json!([[al.to_string(), false]]));
    // When the patient is gone, nobody is listed.
    let (sync, _, al) = with_al().await;
    sync.skip(al, sync.admin, &[]).await.expect(0);
    let delete = "DELETE FROM patient_organization_affiliations WHERE patient_id = $1";
    sync.clinic.client.execute(delete, &[&al]).await.expect("can be deleted");
    sync.clinic.client.execute("DELETE FROM patients WHERE id = $1", &[&al]).await.expect("can be deleted");
    assert_eq!(sync.left_out().await, json!([]));
    sync.run(&[]).await.expect(0);
}

#[tokio::test]
async fn staff_decide_about_patients_of_their_own_organizations_and_nobody_else_does() {
    let (sync, _, al) = with_al().await;
    for role in ROLES {
        let user = sync.clinic.user(sync.facility, role).await;
        let insert = "INSERT INTO organization_users (organization_id, user_id) VALUES ($1, $2)";
        if role == "CASE_MANAGER" {
            refused(sync.skip(al, user, &[]).await, 2, "ACTOR_NOT_ALLOWED");
            sync.clinic.client.execute(insert, &[&sync.organization, &user]).await.expect("can be said");
        }
        let outcome = sync.skip(al, user, &["--dry-run"]).await;
        if MAY.contains(&role) {
            assert_eq!(outcome.expect(0).report()["dry_run"], true, "{role}");
        } else {
            refused(outcome, 2, "ACTOR_NOT_ALLOWED");
        }
    }
    let elsewhere = sync.clinic.facility("America/Denver", None).await;
    let stranger = sync.clinic.user(elsewhere, "HOSPITAL_ADMIN").await;
    refused(sync.skip(al, stranger, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    assert_eq!(sync.left_out().await, json!([]), "nothing was changed");
    let group = group_user(&sync.clinic, "HOSPITAL_ADMIN").await;
    sync.skip(al, group, &[]).await.expect(0);
    refused(sync.skip(al, sync.admin, &[]).await, 1, "SKIPPED_ALREADY");
    refused(sync.about_patient("unskip", al, stranger, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    sync.about_patient("unskip", al, sync.admin, &[]).await.expect(0);
    refused(sync.about_patient("unskip", al, sync.admin, &[]).await, 1, "NOT_SKIPPED");
    refused(sync.skip(4711, sync.admin, &[]).await, 2, "UNKNOWN_PATIENT");
    let args = ["practiceq", "patients", "skip", &al.to_string(), "--actor", &sync.admin.to_string()];
    refused(sync.clinic.run(&[&args[..], &["--reason", "  "]].concat()).await, 2, "REASON_REQUIRED");
    let long = "x".repeat(501);
    refused(sync.clinic.run(&[&args[..], &["--reason", &long]].concat()).await, 2, "REASON_REQUIRED");
}

#[tokio::test]
async fn why_is_kept_and_shown_by_nothing() {
    let (sync, _, al) = with_al().await;
    let outcome = sync.skip(al, sync.admin, &[]).await.expect(0);
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    let kept = "SELECT reason, skipped_by FROM practiceq_skipped_patients";
    let expected = json!({"reason": "CANARY pays in cash", "skipped_by": sync.admin.to_string()});
    assert_eq!(sync.clinic.json(kept).await, expected);
    for output in ["text", "json"] {
        let listed = sync.clinic.run(&["practiceq", "patients", "list", "--output", output]).await.expect(0);
        assert!(!format!("{listed:?}").contains("CANARY"), "{listed:?}");
    }
}
