//! `rounds practiceq visits`: what is to come, with link and place; whose it is, to those who may see it.

use serde_json::{Value, json};

use super::{ROLES, everything, group_user, plant, refused};
use crate::support::practiceq::{Client, NOW, Sync, appointment};
use crate::support::program::Outcome;

const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
const ANN: Client = Client { id: 200, name: "Ann Roe", email: "ann@home.example", date_of_birth: "1975-12-31" };
const SOON: &str = "2026-03-03T18:00:00Z";

/// Pat and Ann of two organizations, and visits of all kinds.
struct Listed {
    sync: Sync,
    pat: i64,
    other: i64,
}

impl Listed {
    async fn new() -> Self {
        let sync = Sync::new().await;
        let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
        let insert = "INSERT INTO organizations (name, facility_id) VALUES ('Other', k($1)) RETURNING n(id)";
        let other: i64 = sync.clinic.row(insert, &[&sync.facility]).await.get(0);
        let moves = format!(
            "UPDATE patient_organization_affiliations SET organization_id = k({other}) WHERE patient_id = k({ann})"
        );
        sync.clinic.sql(&moves).await;
        let put = |id: &str, client: &Client<'_>, at: &str, change: &dyn Fn(&mut Value)| {
            let mut row = appointment(id, client, at);
            change(&mut row);
            sync.upstream.put(row);
        };
        put("link", &PAT, SOON, &|row| row["PlaceOfService"] = json!("10"));
        put("bare", &PAT, "2026-03-02T18:00:00Z", &|row| row["TelehealthInfo"] = Value::Null);
        put("office", &PAT, "2026-03-04T18:00:00Z", &|row| {
            (row["TelehealthInfo"], row["PlaceOfService"]) = (Value::Null, json!("11"));
        });
        // Under way; over; cancelled; another organization's; deleted.
        put("now", &PAT, "2026-03-02T14:45:00Z", &|_| {});
        put("over", &PAT, "2026-03-02T14:29:00Z", &|_| {});
        put("cancelled", &PAT, SOON, &|row| row["Status"] = json!("Canceled"));
        put("hers", &ANN, SOON, &|_| {});
        put("gone", &PAT, SOON, &|_| {});
        sync.run(&[]).await.expect(0);
        sync.upstream.delete("gone");
        sync.run(&["--incremental"]).await.expect(0);
        Self { sync, pat, other }
    }

    async fn run(&self, organization: i64, more: &[&str]) -> Outcome {
        let organization = organization.to_string();
        let args = ["practiceq", "visits", "--organization", &organization, "--as-of", NOW];
        self.sync.clinic.run(&[&args, more].concat()).await
    }

    async fn ids(&self, organization: i64, more: &[&str]) -> Vec<String> {
        let report = self.run(organization, more).await.expect(0).report();
        let id = |row: &Value| row["external_id"].as_str().expect("an id").to_owned();
        report["visits"].as_array().expect("a list").iter().map(id).collect()
    }

    async fn looks(&self) -> Value {
        let look = "jsonb_build_array(n(user_id), n(patient_id), command, entity)";
        let query = format!("SELECT coalesce(jsonb_agg({look} ORDER BY id), '[]') AS l FROM phi_access_log");
        self.sync.clinic.json(&query).await["l"].clone()
    }
}

#[tokio::test]
async fn what_is_to_come_is_listed_with_link_and_place_and_without_a_name() {
    let listed = Listed::new().await;
    let organization = listed.sync.organization;
    assert_eq!(listed.ids(organization, &[]).await, ["now", "bare", "link", "office"]);
    assert_eq!(listed.ids(organization, &["--without-link"]).await, ["bare", "office"]);
    assert_eq!(listed.ids(listed.other, &[]).await, ["hers"]);
    assert_eq!(listed.ids(listed.other, &["--without-link"]).await, [""; 0]);
    let report = listed.run(organization, &["--limit", "3"]).await.expect(0).report();
    assert_eq!(report["more"], true);
    let sync = &listed.sync;
    let visit = sync.clinic.json("SELECT n(id) AS id FROM appointments WHERE external_id = 'link'").await;
    let expected = json!({
        "appointment_id": visit["id"].to_string(),
        "external_id": "link",
        "patient_id": listed.pat.to_string(),
        "status": "CONFIRMED",
        "starts_at": report["visits"][2]["starts_at"],
        "ends_at": report["visits"][2]["ends_at"],
        "facility_id": sync.facility.to_string(),
        "facility_name": "F",
        "time_zone": "America/Denver",
        "doctor_id": sync.doctor.to_string(),
        "doctor_name": "Ada Stone",
        "meeting_url": "https://meet.example/join/link",
        "place_of_service": "10",
        "telehealth": true,
        "location_name": "Canary Street",
    });
    assert_eq!(report["visits"][2], expected);
    assert!(report["visits"][2]["starts_at"].as_str().is_some_and(|at| at.starts_with("2026-03-03T18:00:00")));
    let office = listed.run(organization, &["--without-link"]).await.expect(0).report()["visits"][1].clone();
    assert_eq!([&office["telehealth"], &office["meeting_url"]], [&json!(false), &Value::Null]);
    let text = listed.run(organization, &["--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("2026-03-03 11:00 MST") && text.contains("https://meet.example/join/link"), "{text}");
    assert!(text.contains("telehealth at home, Canary Street") && !text.contains("Doe"), "{text}");
    let nothing = listed.run(listed.other, &["--without-link", "--output", "text"]).await.expect(0).stdout;
    assert!(nothing.contains("Every visit to come has a link."), "{nothing}");
    assert_eq!(listed.looks().await, json!([]), "nobody was shown anybody");
    refused(listed.run(4711, &[]).await, 2, "UNKNOWN_ORGANIZATION");
}

#[tokio::test]
async fn names_are_shown_to_those_of_the_organization_and_that_is_recorded() {
    let listed = Listed::new().await;
    let (sync, organization) = (&listed.sync, listed.sync.organization);
    let manager = sync.case_manager.to_string();
    let report =
        listed.run(organization, &["--without-link", "--reveal", "--actor", &manager]).await.expect(0).report();
    let names: Vec<&Value> = report["visits"].as_array().expect("a list").iter().map(|v| &v["patient_name"]).collect();
    assert_eq!(names, ["Pat Doe"; 2]);
    let look = json!([sync.case_manager, listed.pat, "practiceq visits", "appointment"]);
    assert_eq!(listed.looks().await, json!([look, look]));
    let text = listed.run(organization, &["--reveal", "--actor", &manager, "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("Pat Doe") && !text.contains("Ann"), "{text}");
    sync.clinic.sql("TRUNCATE phi_access_log").await;
    // No other organization's, no other role, nobody of another facility, and nothing that is not recorded.
    let elsewhere = sync.clinic.facility("America/Denver", None).await;
    let stranger = sync.clinic.user(elsewhere, "HOSPITAL_ADMIN").await;
    let mut refusals = vec![(listed.other, sync.case_manager), (organization, stranger)];
    for role in ROLES.into_iter().filter(|role| !["HOSPITAL_ADMIN", "SUPERVISOR"].contains(role)) {
        refusals.push((organization, sync.clinic.user(sync.facility, role).await));
    }
    for (organization, user) in refusals {
        let outcome = listed.run(organization, &["--reveal", "--actor", &user.to_string()]).await;
        assert!(!format!("{outcome:?}").contains("Doe"), "{outcome:?}");
        refused(outcome, 2, "ACTOR_NOT_ALLOWED");
    }
    refused(listed.run(organization, &["--reveal"]).await, 2, "NO_ACTOR");
    refused(listed.run(organization, &["--reveal", "--actor", &manager, "--dry-run"]).await, 2, "REVEAL_NOT_RECORDED");
    assert_eq!(listed.looks().await, json!([]));
    sync.clinic.sql("ALTER TABLE phi_access_log ADD CHECK (user_id = '0') NOT VALID").await;
    let outcome = listed.run(organization, &["--reveal", "--actor", &manager]).await.expect(1);
    assert!(!format!("{outcome:?}").contains("Doe"), "{outcome:?}");
    sync.clinic.sql("ALTER TABLE phi_access_log DROP CONSTRAINT phi_access_log_user_id_check").await;
    let supervisor = sync.clinic.user(sync.facility, "SUPERVISOR").await;
    let group = group_user(&sync.clinic, "HOSPITAL_ADMIN").await;
    for user in [sync.admin, supervisor, group] {
        listed.run(organization, &["--reveal", "--actor", &user.to_string()]).await.expect(0);
    }
}

#[tokio::test]
async fn no_name_comes_out_unasked() {
    let listed = Listed::new().await;
    plant(&listed.sync.clinic).await;
    let organization = listed.sync.organization.to_string();
    let list = ["practiceq", "visits", "--organization", &organization, "--as-of", NOW];
    let out = everything(&listed.sync.clinic, &[&list, &[&list[..], &["--without-link"]].concat()]).await;
    for canary in ["CANARY-P", "CANARY-U", "CANARY-N", "CANARY@"] {
        assert!(!out.contains(canary), "{canary}: {out}");
    }
    assert!(out.contains("https://meet.example/join/link"), "the list is there: {out}");
}
