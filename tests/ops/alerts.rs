//! `rounds alerts`: what is shown to whom, and the way of an alert from ACTIVE to RESOLVED.

use serde_json::{Value, json};

use super::{ROLES, application, at_once, everything, group_user, plant, refused, state, through};
use crate::support::keys::Kind;
use crate::support::program::{self, Outcome};
use crate::support::proxy::Act;
use crate::support::{Clinic, clinic, gate};

const DAY: &str = "2026-03-02";
const AT_0930: &str = "2026-03-02T09:30:00-05:00";
const MAY: [&str; 4] = ["RECEPTIONIST", "NURSE", "DOCTOR", "HOSPITAL_ADMIN"];

/// Two facilities with a doctor and a nurse each; the first has two patients who wait for vitals, the second one.
/// Alerts 1 to 3 are of visits 1 to 3, raised by the job.
struct Ward {
    clinic: Clinic,
    facilities: [i64; 2],
    doctors: [i64; 2],
    nurses: [i64; 2],
}

impl Ward {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let (first, doctor) = clinic.new_york(15).await;
        let (second, other) = clinic.new_york(15).await;
        let nurses = [clinic.user(first, "NURSE").await, clinic.user(second, "NURSE").await];
        let ward = Self { clinic, facilities: [first, second], doctors: [doctor, other], nurses };
        // Slots end at 08:45, 09:00 and 09:15.
        for (place, time) in [(0, "08:30"), (0, "08:45"), (1, "09:00")] {
            let (facility, doctor) = (ward.facilities[place], ward.doctors[place]);
            let (status, checked_in) = ("CHECKED_IN", Some("2026-03-02T08:25-05"));
            let visit =
                clinic::Visit { facility, doctor, date: DAY, time, status, checked_in, vitals: None, slot: None };
            ward.clinic.visit(visit).await;
        }
        ward.clinic.sql("UPDATE patients SET mrn = 'M' || n(id)").await;
        for time in ["08:50", "09:05", "09:20"] {
            assert_eq!(ward.job(time).await.expect(0).count("raised"), 1, "{time}");
        }
        ward
    }

    /// `stage-alerts` at a time of that day, New York.
    async fn job(&self, time: &str) -> Outcome {
        self.clinic.run(&["stage-alerts", "--as-of", &at(time), "--no-doctor-minutes", "1440"]).await
    }

    /// `acknowledge` or `resolve`, at 09:30.
    async fn act(&self, command: &str, alert: i64, actor: i64, more: &[&str]) -> Outcome {
        let (alert, actor) = (alert.to_string(), self.clinic.kind.text(actor));
        self.clinic.run(&[&args(command, &alert, &actor), more].concat()).await
    }

    async fn list(&self, more: &[&str]) -> Value {
        self.clinic.run(&[&["alerts", "list"], more].concat()).await.expect(0).report()
    }

    /// The ids of the alerts that are listed.
    async fn ids(&self, more: &[&str]) -> Vec<i64> {
        let report = self.list(more).await;
        report["alerts"].as_array().expect("a list").iter().map(|alert| alert["id"].as_i64().expect("an id")).collect()
    }

    async fn reveal(&self, actor: i64, more: &[&str]) -> Outcome {
        let actor = self.clinic.kind.text(actor);
        self.clinic.run(&[&["alerts", "list", "--reveal", "--actor", &actor], more].concat()).await
    }

    /// The log of names that were shown: to whom, and of whom.
    async fn looks(&self) -> Value {
        let query =
            "SELECT coalesce(jsonb_agg(jsonb_build_array(n(user_id), n(patient_id), command) ORDER BY id), '[]')
                                AS l FROM phi_access_log";
        self.clinic.json(query).await["l"].clone()
    }

    async fn patient(&self, visit: i64) -> i64 {
        self.clinic.row("SELECT n(patient_id) FROM appointments WHERE id = k($1)", &[&visit]).await.get(0)
    }

    /// Status, who acknowledged it and who resolved it.
    async fn alert(&self, id: i64) -> Value {
        let by = "n(acknowledged_by) AS acknowledged_by, n(resolved_by) AS resolved_by";
        self.clinic.json(&format!("SELECT status, {by} FROM stage_alerts WHERE id = {id}")).await
    }

    /// Both commands are refused, and nothing was changed.
    async fn refuse(&self, alert: i64, actor: i64, code: i32, error_code: &str) -> String {
        let before = state(&self.clinic).await;
        let mut messages = String::new();
        for command in ["acknowledge", "resolve"] {
            messages += &refused(self.act(command, alert, actor, &[]).await, code, error_code);
        }
        assert_eq!(state(&self.clinic).await, before, "nothing was changed: {error_code}");
        messages
    }

    /// Nothing is shown or recorded.
    async fn refuse_reveal(&self, actor: i64, more: &[&str], error_code: &str) {
        let before = state(&self.clinic).await;
        for output in [&["--output", "json"][..], &["--output", "text"]] {
            let outcome = self.reveal(actor, &[more, output].concat()).await;
            let out = format!("{outcome:?}");
            assert!(!out.contains("Doe") && !out.contains("Stone") && out.contains(error_code), "{out}");
            outcome.expect(2);
        }
        assert_eq!(state(&self.clinic).await, before, "nothing was recorded: {error_code}");
    }
}

fn at(time: &str) -> String {
    format!("{DAY}T{time}:00-05:00")
}

fn args<'a>(command: &'a str, alert: &'a str, actor: &'a str) -> [&'a str; 7] {
    ["alerts", command, alert, "--actor", actor, "--as-of", AT_0930]
}

fn pretty(report: &Value) -> String {
    serde_json::to_string_pretty(report).expect("JSON")
}

#[tokio::test]
async fn alerts_are_listed_the_newest_first_without_whom_they_are_about() {
    let ward = Ward::new().await;
    let report = ward.list(&[]).await;
    insta::assert_snapshot!("alerts", pretty(&report));
    let text = ward.clinic.run(&["alerts", "list", "--output", "text"]).await.expect(0).stdout;
    insta::assert_snapshot!("alerts_text", text);
    for (key, value) in [
        ("id", json!(3)),
        ("alertType", json!("NO_VITALS")),
        ("status", json!("ACTIVE")),
        ("triggeredAt", json!("2026-03-02T14:20:00.000Z")),
        ("facilityId", json!(ward.facilities[1].to_string())),
        ("appointmentId", json!("3")),
        ("doctorId", json!(ward.doctors[1].to_string())),
        ("patientId", json!(ward.patient(3).await.to_string())),
    ] {
        assert_eq!(report["alerts"][0][key], value, "{key}");
    }
    assert_eq!(ward.looks().await, json!([]), "nobody was shown anybody");
}

#[tokio::test]
async fn alerts_are_found_by_facility_type_and_status() {
    let ward = Ward::new().await;
    let [first, second] = ward.facilities.map(|id| id.to_string());
    ward.clinic.sql("UPDATE appointments SET vitals_recorded_at = '2026-03-02 09:21-05' WHERE id = 1").await;
    let late = ["stage-alerts", "--as-of", &at("09:22")];
    assert_eq!(ward.clinic.run(&late).await.expect(0).report()["raised_by_type"]["no_doctor"], 1);
    ward.act("acknowledge", 2, ward.nurses[0], &[]).await.expect(0);
    // 1 RESOLVED, 2 ACKNOWLEDGED, 3 ACTIVE; and a fourth one, NO_DOCTOR of the first visit.
    let fourth = ward.ids(&["--type", "NO_DOCTOR"]).await[0];
    for (filter, found) in [
        (&[][..], &[fourth, 3, 2][..]),
        (&["--all"], &[fourth, 3, 2, 1]),
        (&["--facility", &first], &[fourth, 2]),
        (&["--all", "--facility", &first], &[fourth, 2, 1]),
        (&["--facility", &second], &[3]),
        (&["--type", "NO_VITALS"], &[3, 2]),
        (&["--type", "WAITING_TOO_LONG"], &[]),
        (&["--status", "ACTIVE"], &[fourth, 3]),
        (&["--status", "ACKNOWLEDGED"], &[2]),
        (&["--status", "RESOLVED"], &[1]),
        (&["--facility", &first, "--type", "NO_VITALS", "--status", "ACTIVE"], &[]),
        (&["--facility", &second, "--type", "NO_VITALS", "--status", "ACTIVE"], &[3]),
        (&["--limit", "1"], &[fourth]),
        (&["--all", "--limit", "4"], &[fourth, 3, 2, 1]),
    ] {
        assert_eq!(ward.ids(filter).await, found, "{filter:?}");
    }
}

#[tokio::test]
async fn an_old_dashboard_reads_the_active_alerts_in_its_own_shape() {
    let ward = Ward::new().await;
    let nurse = ward.nurses[0];
    ward.act("acknowledge", 1, nurse, &[]).await.expect(0);
    ward.clinic.sql("UPDATE patients SET last_name = 'Roe' WHERE mrn = 'M2'").await;
    let alert = |id: i64, status: &str, last_name: &str, time: &str, triggered_at: &str| {
        json!({
            "id": id,
            "alertType": "NO_VITALS",
            "status": status,
            "message": format!("Patient Pat Doe (M{id}) checked in at {time} but vitals not recorded."),
            "triggeredAt": triggered_at,
            "patient": { "firstName": "Pat", "lastName": last_name, "mrn": format!("M{id}") },
            "doctor": { "user": { "firstName": "Ada", "lastName": "Stone" } },
        })
    };
    let second = alert(2, "ACTIVE", "Roe", "08:25", "2026-03-02T14:05:00.000Z");
    for output in ["text", "json"] {
        let report = ward.reveal(nurse, &["--shape", "no-show-alerts", "--output", output]).await.expect(0).report();
        assert_eq!(report, json!({ "success": true, "data": [second] }));
    }
    assert_eq!(
        ward.looks().await,
        json!([[nurse, ward.patient(2).await, "alerts list"], [nurse, ward.patient(2).await, "alerts list"]])
    );
    let first = alert(1, "ACKNOWLEDGED", "Doe", "08:25", "2026-03-02T13:50:00.000Z");
    let report = ward.reveal(nurse, &["--shape", "no-show-alerts", "--all"]).await.expect(0).report();
    assert_eq!(report, json!({ "success": true, "data": [second, first] }));
    let none = ward.reveal(nurse, &["--shape", "no-show-alerts", "--status", "RESOLVED"]).await.expect(0).report();
    assert_eq!(none, json!({ "success": true, "data": [] }));
    ward.refuse_reveal(
        ward.clinic.user(ward.facilities[0], "BILLING").await,
        &["--shape", "no-show-alerts"],
        "ACTOR_NOT_ALLOWED",
    )
    .await;
}

#[tokio::test]
async fn a_list_does_without_names_and_zones_that_the_database_does_not_tell() {
    let ward = Ward::new().await;
    ward.clinic.sql("UPDATE facilities SET name = '  ' WHERE id = k(1)").await;
    let text = ward.clinic.run(&["alerts", "list", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("2026-03-02 09:20 EST") && text.contains("Ada Stone"), "{text}");
    ward.clinic
        .sql("ALTER TABLE facilities RENAME name TO label; ALTER TABLE doctors RENAME first_name TO given")
        .await;
    ward.clinic.sql("UPDATE facilities SET time_zone = 'UTC'").await;
    let outcome = ward.clinic.run(&["alerts", "list"]).await.expect(0);
    let report = outcome.report();
    let first = &report["alerts"][0];
    assert_eq!(
        (&first["facilityName"], &first["doctorName"], &first["timeZone"]),
        (&json!(null), &json!(null), &json!("UTC"))
    );
    assert_eq!(first["facilityId"], json!(ward.facilities[1].to_string()));
    assert!(outcome.stderr.contains("facilities' names cannot be read"), "{outcome:?}");
    ward.clinic.sql("DELETE FROM stage_alerts WHERE id <> 3; DELETE FROM appointments").await;
    let text = ward.clinic.run(&["alerts", "list", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains("2026-03-02 14:20 UTC"), "of a deleted visit: {text}");
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let ward = Ward::new().await;
    let before = state(&ward.clinic).await;
    for more in [
        &["list", "--type", "LATE"][..],
        &["list", "--status", "OPEN"],
        &["list", "--facility", "x"],
        &["list", "--limit", "0"],
        &["list", "--all", "--status", "ACTIVE"],
        &["list", "--shape", "no-show-alerts"],
        &["list", "--shape", "another", "--reveal"],
        &["acknowledge"],
        &["acknowledge", "x", "--actor", "1"],
        &["acknowledge", "0", "--actor", "1"],
        &["acknowledge", "1", "--actor", "0"],
        &["acknowledge", "1", "--actor", "nobody"],
        &["resolve", "-1", "--actor", "1"],
        &["resolve", "9223372036854775808", "--actor", "1"],
    ] {
        ward.clinic.run(&[&["alerts"], more].concat()).await.expect(2);
    }
    for more in [&["list", "--reveal"][..], &["acknowledge", "1"], &["resolve", "1"]] {
        refused(ward.clinic.run(&[&["alerts"], more].concat()).await, 2, "NO_ACTOR");
    }
    assert_eq!(state(&ward.clinic).await, before);
}

#[tokio::test]
async fn a_nurse_is_shown_her_own_facility_and_that_is_recorded() {
    let ward = Ward::new().await;
    let report = ward.reveal(ward.nurses[0], &[]).await.expect(0).report();
    insta::assert_snapshot!("revealed", pretty(&report));
    let looks = [ward.patient(2).await, ward.patient(1).await].map(|id| json!([ward.nurses[0], id, "alerts list"]));
    let recorded = ward.looks().await;
    assert_eq!(recorded.as_array().expect("a list").len(), 2, "{recorded}");
    for look in looks {
        assert!(recorded.as_array().expect("a list").contains(&look), "{look}: {recorded}");
    }
    let [own, other] = ward.facilities.map(|id| id.to_string());
    ward.reveal(ward.nurses[0], &["--facility", &own]).await.expect(0);
    ward.refuse_reveal(ward.nurses[0], &["--facility", &other], "ACTOR_NOT_ALLOWED").await;
}

#[tokio::test]
async fn only_those_who_are_shown_are_recorded() {
    let ward = Ward::new().await;
    let nurse = ward.nurses[0];
    ward.act("resolve", 1, nurse, &[]).await.expect(0);
    ward.reveal(nurse, &["--type", "NO_DOCTOR"]).await.expect(0);
    assert_eq!(ward.looks().await, json!([]), "nobody");
    ward.reveal(nurse, &["--status", "RESOLVED"]).await.expect(0);
    ward.reveal(nurse, &["--limit", "1"]).await.expect(0);
    let looks = [ward.patient(1).await, ward.patient(2).await].map(|id| json!([nurse, id, "alerts list"]));
    assert_eq!(ward.looks().await, json!(looks));
}

#[tokio::test]
async fn each_role_is_shown_what_it_may_see() {
    let ward = Ward::new().await;
    for role in ROLES {
        let user = ward.clinic.user(ward.facilities[0], role).await;
        if MAY.contains(&role) {
            let outcome = ward.reveal(user, &["--output", "text"]).await.expect(0);
            assert!(outcome.stdout.contains("Pat Doe") && outcome.stdout.contains("Ada Stone"), "{role}: {outcome:?}");
        } else {
            ward.refuse_reveal(user, &[], "ACTOR_NOT_ALLOWED").await;
        }
        ward.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {user}")).await;
        ward.refuse_reveal(user, &[], "ACTOR_INACTIVE").await;
    }
    ward.refuse_reveal(4711, &[], "ACTOR_UNKNOWN").await;
    for role in ["NURSE", "DOCTOR", "RECEPTIONIST", "SUPERVISOR"] {
        let user = group_user(&ward.clinic, role).await;
        ward.refuse_reveal(user, &[], "ACTOR_NOT_ALLOWED").await;
    }
}

#[tokio::test]
async fn an_admin_of_the_group_is_shown_all_facilities() {
    let ward = Ward::new().await;
    let admin = group_user(&ward.clinic, "HOSPITAL_ADMIN").await;
    let report = ward.reveal(admin, &[]).await.expect(0).report();
    assert_eq!(report["alerts"].as_array().expect("a list").len(), 3, "{report}");
    assert_eq!(ward.looks().await.as_array().expect("a list").len(), 3);
    let other = ward.facilities[1].to_string();
    let report = ward.reveal(admin, &["--facility", &other]).await.expect(0).report();
    assert_eq!(report["alerts"].as_array().expect("a list").len(), 1, "{report}");
}

#[tokio::test]
async fn nothing_is_shown_that_cannot_be_recorded() {
    let ward = Ward::new().await;
    ward.refuse_reveal(ward.nurses[0], &["--dry-run"], "").await;
    ward.clinic.sql("ALTER TABLE phi_access_log ADD CHECK (patient_id = '') NOT VALID").await;
    let outcome = ward.reveal(ward.nurses[0], &[]).await.expect(1);
    let out = format!("{outcome:?}");
    assert!(!out.contains("Doe") && !out.contains("Stone"), "{out}");
    assert_eq!(ward.looks().await, json!([]));
}

#[tokio::test]
async fn what_is_shown_is_recorded_though_the_reply_to_the_commit_is_lost() {
    let ward = Ward::new().await;
    let nurse = ward.nurses[0].to_string();
    let reveal = ["alerts", "list", "--reveal", "--actor", &nurse];
    let outcome = through(Act::LoseReply, &ward.clinic, &reveal).await;
    assert_eq!(ward.looks().await.as_array().expect("a list").len(), 2, "{outcome:?}");
    assert_eq!(outcome.code == 0, outcome.stdout.contains("Pat Doe"), "{outcome:?}");
}

#[tokio::test]
async fn an_alert_is_acknowledged_and_then_resolved() {
    let ward = Ward::new().await;
    let [nurse, _] = ward.nurses;
    let receptionist = ward.clinic.user(ward.facilities[0], "RECEPTIONIST").await;
    let report = ward.act("acknowledge", 1, nurse, &[]).await.expect(0).report();
    insta::assert_snapshot!("acknowledged", pretty(&report));
    let acknowledged = json!({"status": "ACKNOWLEDGED", "acknowledged_by": nurse, "resolved_by": null});
    assert_eq!(ward.alert(1).await, acknowledged);
    let more = ["--notes", "was with the doctor"];
    let report = ward.act("resolve", 1, receptionist, &more).await.expect(0).report();
    insta::assert_snapshot!("resolved", pretty(&report));
    let row = ward.clinic.json("SELECT * FROM stage_alerts WHERE id = 1").await;
    for (key, value) in [
        ("status", json!("RESOLVED")),
        ("acknowledged_by", json!(nurse.to_string())),
        ("acknowledged_at", json!("2026-03-02T14:30:00+00:00")),
        ("resolved_by", json!(receptionist.to_string())),
        ("resolved_at", json!("2026-03-02T14:30:00+00:00")),
        ("resolved_run_id", json!(null)),
        ("resolution_notes", json!("was with the doctor")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    for other in [2, 3] {
        let active = json!({"status": "ACTIVE", "acknowledged_by": null, "resolved_by": null});
        assert_eq!(ward.alert(other).await, active, "{other}");
    }
}

#[tokio::test]
async fn an_alert_can_be_resolved_at_once() {
    let ward = Ward::new().await;
    ward.act("resolve", 1, ward.nurses[0], &[]).await.expect(0);
    let row = ward.clinic.json(
        "SELECT status, acknowledged_at, n(resolved_by) AS resolved_by, resolution_notes FROM stage_alerts
         WHERE id = 1",
    );
    let expected = json!({
        "status": "RESOLVED",
        "acknowledged_at": null,
        "resolved_by": ward.nurses[0],
        "resolution_notes": null,
    });
    assert_eq!(row.await, expected);
}

#[tokio::test]
async fn a_second_acknowledge_says_who_did_it_first_and_when() {
    let ward = Ward::new().await;
    let [nurse, _] = ward.nurses;
    let second = ward.clinic.user(ward.facilities[0], "NURSE").await;
    ward.act("acknowledge", 1, nurse, &[]).await.expect(0);
    let before = state(&ward.clinic).await;
    for who in [second, nurse] {
        let message = refused(ward.act("acknowledge", 1, who, &[]).await, 1, "ALREADY_ACKNOWLEDGED");
        assert!(message.contains(&format!("user {nurse} ")) && message.contains("2026-03-02 14:30 UTC"), "{message}");
    }
    assert_eq!(state(&ward.clinic).await, before);
    ward.act("resolve", 1, second, &[]).await.expect(0);
    let message = ward.refuse(1, nurse, 1, "ALREADY_RESOLVED").await;
    assert!(message.contains(&format!("user {second} ")) && message.contains("2026-03-02 14:30 UTC"), "{message}");
}

#[tokio::test]
async fn the_job_that_resolved_it_first_is_named() {
    let ward = Ward::new().await;
    ward.clinic.sql("UPDATE appointments SET vitals_recorded_at = '2026-03-02 09:21-05' WHERE id = 1").await;
    assert_eq!(ward.job("09:25").await.expect(0).count("resolved"), 1);
    let message = ward.refuse(1, ward.nurses[0], 1, "ALREADY_RESOLVED").await;
    assert!(message.contains("the job") && message.contains("2026-03-02 14:25 UTC"), "{message}");
}

#[tokio::test]
async fn each_role_handles_the_alerts_of_its_own_facility() {
    let ward = Ward::new().await;
    for role in ROLES {
        let here = ward.clinic.user(ward.facilities[0], role).await;
        let there = ward.clinic.user(ward.facilities[1], role).await;
        ward.refuse(1, there, 2, "ACTOR_NOT_ALLOWED").await;
        if MAY.contains(&role) {
            ward.act("acknowledge", 1, here, &[]).await.expect(0);
            ward.act("resolve", 1, here, &[]).await.expect(0);
            ward.clinic
                .sql(
                    "UPDATE stage_alerts SET status = 'ACTIVE', acknowledged_by = NULL, acknowledged_at = NULL,
                                             resolved_by = NULL, resolved_at = NULL",
                )
                .await;
        } else {
            ward.refuse(1, here, 2, "ACTOR_NOT_ALLOWED").await;
        }
        ward.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {here}")).await;
        ward.refuse(1, here, 2, "ACTOR_INACTIVE").await;
    }
}

#[tokio::test]
async fn an_admin_of_the_group_handles_all_and_a_nurse_of_no_facility_none() {
    let ward = Ward::new().await;
    for role in ["NURSE", "DOCTOR", "RECEPTIONIST", "SUPERVISOR"] {
        let user = group_user(&ward.clinic, role).await;
        ward.refuse(1, user, 2, "ACTOR_NOT_ALLOWED").await;
    }
    let admin = group_user(&ward.clinic, "HOSPITAL_ADMIN").await;
    for alert in [1, 3] {
        ward.act("acknowledge", alert, admin, &[]).await.expect(0);
        ward.act("resolve", alert, admin, &[]).await.expect(0);
    }
}

#[tokio::test]
async fn alerts_and_users_that_are_not_there_are_refused() {
    let ward = Ward::new().await;
    let message = ward.refuse(4711, ward.nurses[0], 2, "UNKNOWN_ALERT").await;
    assert!(message.contains("4711"), "{message}");
    let message = ward.refuse(1, 4712, 2, "ACTOR_UNKNOWN").await;
    assert!(message.contains("4712"), "{message}");
}

#[tokio::test]
async fn who_may_not_handle_an_alert_does_not_learn_its_state() {
    let ward = Ward::new().await;
    ward.act("resolve", 1, ward.nurses[0], &[]).await.expect(0);
    let message = ward.refuse(1, ward.nurses[1], 2, "ACTOR_NOT_ALLOWED").await;
    assert!(!message.contains("RESOLVED") && !message.contains("resolved"), "{message}");
}

#[tokio::test]
async fn the_clock_is_set_only_where_that_is_allowed() {
    let mut ward = Ward::new().await;
    ward.clinic.program = ward.clinic.program.without("ROUNDS_ALLOW_AS_OF");
    let before = state(&ward.clinic).await;
    for command in ["acknowledge", "resolve"] {
        ward.act(command, 1, ward.nurses[0], &[]).await.expect(2);
    }
    assert_eq!(state(&ward.clinic).await, before);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let ward = Ward::new().await;
    for command in ["acknowledge", "resolve"] {
        let before = state(&ward.clinic).await;
        let mut dry = ward.act(command, 1, ward.nurses[0], &["--dry-run"]).await.expect(0).report();
        assert_eq!(dry["dry_run"], true, "{command}");
        assert_eq!(state(&ward.clinic).await, before, "{command}");
        dry["dry_run"] = json!(false);
        assert_eq!(ward.act(command, 1, ward.nurses[0], &[]).await.expect(0).report(), dry, "{command}");
    }
    refused(ward.act("resolve", 1, ward.nurses[0], &["--dry-run"]).await, 1, "ALREADY_RESOLVED");
}

#[tokio::test]
async fn of_two_people_at_once_one_is_first_and_the_other_hears_it() {
    for (command, key, code) in
        [("acknowledge", "acknowledged_by", "ALREADY_ACKNOWLEDGED"), ("resolve", "resolved_by", "ALREADY_RESOLVED")]
    {
        let ward = Ward::new().await;
        let second = ward.clinic.user(ward.facilities[0], "DOCTOR").await;
        let actors = [ward.nurses[0].to_string(), second.to_string()];
        let [first, second] = [args(command, "1", &actors[0]), args(command, "1", &actors[1])];
        let held = "SELECT FROM stage_alerts WHERE id = 1 FOR UPDATE";
        let [first, second] = at_once(&ward.clinic, held, &first, &second).await;
        let winner = usize::from(first.code != 0);
        let (won, lost) = if winner == 0 { (first, second) } else { (second, first) };
        assert_eq!(won.expect(0).report()[key], json!(actors[winner]));
        let message = refused(lost, 1, code);
        assert!(message.contains(&format!("user {} ", actors[winner])), "{message}");
        assert_eq!(ward.alert(1).await[key].to_string(), actors[winner]);
    }
}

#[tokio::test]
async fn an_acknowledge_and_a_resolve_at_once_end_resolved() {
    let ward = Ward::new().await;
    let nurse = ward.nurses[0].to_string();
    let held = "SELECT FROM stage_alerts WHERE id = 1 FOR UPDATE";
    let [acknowledge, resolve] = [args("acknowledge", "1", &nurse), args("resolve", "1", &nurse)];
    let [acknowledge, resolve] = at_once(&ward.clinic, held, &acknowledge, &resolve).await;
    resolve.expect(0);
    let alert = ward.alert(1).await;
    assert_eq!(alert["status"], "RESOLVED");
    if acknowledge.code == 0 {
        assert_eq!(alert["acknowledged_by"], ward.nurses[0]);
    } else {
        refused(acknowledge, 1, "ALREADY_RESOLVED");
        assert_eq!(alert["acknowledged_by"], json!(null));
    }
}

/// A gate before each change of an alert, closed for the first visit, whose vitals have been taken.
async fn gated() -> Ward {
    let ward = Ward::new().await;
    ward.clinic.sql("UPDATE appointments SET vitals_recorded_at = '2026-03-02 09:21-05' WHERE id = 1").await;
    gate::build_before(&ward.clinic, "stage_alerts").await;
    ward.clinic
        .sql(
            "DROP TRIGGER gate ON stage_alerts;
             CREATE TRIGGER gate BEFORE UPDATE ON stage_alerts FOR EACH ROW EXECUTE FUNCTION pass_gate()",
        )
        .await;
    gate::close(&ward.clinic, 1).await;
    ward
}

#[tokio::test]
async fn a_person_waits_for_the_job_that_is_at_the_alert_and_hears_of_it() {
    for command in ["acknowledge", "resolve"] {
        let ward = gated().await;
        let as_of = at("09:25");
        let args_of_job = ["stage-alerts", "--as-of", &as_of, "--no-doctor-minutes", "1440"];
        let job = ward.clinic.program.start(&args_of_job);
        gate::reached(&ward.clinic).await;
        let person = ward.clinic.program.start(&args(command, "1", &ward.nurses[0].to_string()));
        ward.clinic.waiting(1).await;
        gate::open(&ward.clinic).await;
        assert_eq!(program::finish(job).await.expect(0).count("resolved"), 1);
        let message = refused(program::finish(person).await, 1, "ALREADY_RESOLVED");
        assert!(message.contains("the job"), "{message}");
        let alert = json!({"status": "RESOLVED", "acknowledged_by": null, "resolved_by": null});
        assert_eq!(ward.alert(1).await, alert, "{command}");
    }
}

#[tokio::test]
async fn the_job_leaves_an_alert_to_the_person_who_is_at_it() {
    for (command, resolved) in [("acknowledge", 1), ("resolve", 0)] {
        let ward = gated().await;
        let person = ward.clinic.program.start(&args(command, "1", &ward.nurses[0].to_string()));
        gate::reached(&ward.clinic).await;
        assert_eq!(ward.job("09:25").await.expect(0).report()["skipped_by_reason"], json!({"locked": 1}));
        gate::open(&ward.clinic).await;
        program::finish(person).await.expect(0);
        assert_eq!(ward.job("09:26").await.expect(0).count("resolved"), resolved, "{command}");
        let by = if command == "resolve" { "resolved_by" } else { "acknowledged_by" };
        assert_eq!(ward.alert(1).await[by], ward.nurses[0], "{command}");
    }
}

#[tokio::test]
async fn an_alert_that_somebody_keeps_is_said_to_be_locked() {
    let ward = Ward::new().await;
    let application = application(&ward.clinic, "SELECT FROM stage_alerts WHERE id = 1 FOR UPDATE").await;
    ward.refuse(1, ward.nurses[0], 1, "LOCKED").await;
    ward.act("acknowledge", 2, ward.nurses[0], &[]).await.expect(0);
    application.batch_execute("COMMIT").await.expect("it lives");
    ward.act("acknowledge", 1, ward.nurses[0], &[]).await.expect(0);
}

#[tokio::test]
async fn a_lost_reply_to_the_commit_is_no_failure() {
    for command in ["acknowledge", "resolve"] {
        let ward = Ward::new().await;
        let nurse = ward.nurses[0].to_string();
        let outcome = through(Act::LoseReply, &ward.clinic, &args(command, "1", &nurse)).await.expect(0);
        assert_eq!(outcome.report()["ok"], true, "{command}");
        let by = if command == "resolve" { "resolved_by" } else { "acknowledged_by" };
        assert_eq!(ward.alert(1).await[by], ward.nurses[0], "{command}");
    }
}

#[tokio::test]
async fn notes_and_patients_come_out_only_where_they_are_revealed() {
    let ward = Ward::new().await;
    plant(&ward.clinic).await;
    ward.clinic.sql("ALTER TABLE stage_alerts ADD CONSTRAINT no_notes CHECK (resolution_notes IS NULL)").await;
    let nurse = ward.nurses[0].to_string();
    let notes = ["--notes", "CANARY-N"];
    let resolve = [&args("resolve", "1", &nurse)[..], &notes].concat();
    let dry = [&resolve[..], &["--dry-run"]].concat();
    let stranger = [&args("resolve", "3", &nurse)[..], &notes].concat();
    // The database quotes the failing row in its error.
    let mut out = everything(&ward.clinic, &[&resolve]).await;
    assert!(out.contains("23514") && out.contains("no_notes"), "{out}");
    ward.clinic.sql("ALTER TABLE stage_alerts DROP CONSTRAINT no_notes").await;
    let acknowledge = args("acknowledge", "1", &nurse);
    let list = ["alerts", "list"];
    out += &everything(&ward.clinic, &[&dry, &acknowledge, &stranger, &resolve, &resolve, &list]).await;
    assert!(out.contains("ALREADY_RESOLVED") && out.contains("alertType"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
    let row = ward.clinic.json("SELECT resolution_notes FROM stage_alerts WHERE id = 1").await;
    assert_eq!(row, json!({"resolution_notes": "CANARY-N"}));
    let program = ward.clinic.program.clone().env("RUST_LOG", "trace");
    let reveal = ["alerts", "list", "--reveal", "--actor", &nurse, "--log-level", "debug"];
    for output in ["text", "json"] {
        let Outcome { stdout, stderr, .. } =
            program.run(&[&reveal[..], &["--output", output]].concat()).await.expect(0);
        assert!(stdout.contains("CANARY-P CANARY-P") && stdout.contains("CANARY-A"), "{stdout}");
        for hidden in ["CANARY-N", "CANARY-U", "CANARY-555", "CANARY@"] {
            assert!(!stdout.contains(hidden), "{hidden}: {stdout}");
        }
        assert!(!stderr.contains("CANARY"), "logs are no place for what is shown: {stderr}");
    }
}

#[tokio::test]
async fn people_deal_with_alerts_whatever_the_keys_are() {
    for kind in [Kind::Uuid, Kind::TextViews] {
        let ward = Ward::of(kind).await;
        let [first, second] = ward.facilities.map(|id| kind.text(id));
        assert_eq!(ward.ids(&["--facility", &first]).await, [2, 1], "{kind:?}");
        let alert = &ward.list(&["--facility", &second]).await["alerts"][0];
        for (key, number) in [("facilityId", ward.facilities[1]), ("appointmentId", 3), ("doctorId", ward.doctors[1])] {
            assert_eq!(alert[key], json!(kind.text(number)), "{kind:?} {key}");
        }
        ward.refuse(3, ward.nurses[0], 2, "ACTOR_NOT_ALLOWED").await;
        let report = ward.act("acknowledge", 1, ward.nurses[0], &[]).await.expect(0).report();
        assert_eq!(report["acknowledged_by"], json!(kind.text(ward.nurses[0])), "{kind:?}");
        ward.act("resolve", 1, ward.nurses[0], &[]).await.expect(0);
        let by = json!({"status": "RESOLVED", "acknowledged_by": ward.nurses[0], "resolved_by": ward.nurses[0]});
        assert_eq!(ward.alert(1).await, by, "{kind:?}");
        let report = ward.reveal(ward.nurses[1], &[]).await.expect(0).report();
        assert_eq!(report["alerts"][0]["patientName"], "Pat Doe", "{kind:?}");
        assert_eq!(ward.looks().await, json!([[ward.nurses[1], ward.patient(3).await, "alerts list"]]), "{kind:?}");
        ward.refuse_reveal(ward.nurses[0], &["--facility", &second], "ACTOR_NOT_ALLOWED").await;
        let unknown = ward.clinic.run(&["alerts", "list", "--facility", "no key"]).await;
        refused(unknown, 2, "UNKNOWN_FACILITY");
    }
}

#[tokio::test]
async fn a_key_is_taken_in_any_form_that_the_database_takes() {
    let ward = Ward::of(Kind::Uuid).await;
    let admin = group_user(&ward.clinic, "HOSPITAL_ADMIN").await;
    // The last one has letters, so it can be written in two forms.
    ward.clinic
        .sql(&format!(
            "INSERT INTO facilities (id, name, time_zone) VALUES ('ABCDEF00-0000-0000-0000-000000000001', 'F', 'UTC');
             UPDATE users SET facility_id = 'ABCDEF00-0000-0000-0000-000000000001' WHERE id = k({});
             UPDATE appointments SET facility_id = 'ABCDEF00-0000-0000-0000-000000000001' WHERE id = k(1)",
            ward.nurses[0]
        ))
        .await;
    for id in ["ABCDEF00-0000-0000-0000-000000000001", "{abcdef00-0000-0000-0000-000000000001}"] {
        assert_eq!(ward.ids(&["--facility", id]).await, [1], "{id}");
        for actor in [ward.nurses[0], admin] {
            let report = ward.reveal(actor, &["--facility", id]).await.expect(0).report();
            assert_eq!(report["alerts"][0]["facilityId"], "abcdef00-0000-0000-0000-000000000001", "{id}");
        }
    }
}

/// The visit of the first alert is deleted, by the application.
async fn forgotten(kind: Kind) -> Ward {
    let ward = Ward::of(kind).await;
    ward.clinic.sql("DELETE FROM appointments WHERE id = k(1)").await;
    ward
}

#[tokio::test]
async fn the_alert_of_a_deleted_visit_is_listed_without_facility_doctor_and_patient() {
    for kind in Kind::ALL {
        let ward = forgotten(kind).await;
        assert_eq!(ward.ids(&[]).await, [3, 2, 1], "{kind:?}");
        let alert = &ward.list(&[]).await["alerts"][2];
        let shown = ["appointmentId", "facilityId", "doctorId", "patientId"].map(|key| alert[key].clone());
        assert_eq!(shown, [json!(kind.text(1)), json!(null), json!(null), json!(null)], "{kind:?}");
        let first = kind.text(ward.facilities[0]);
        assert_eq!(ward.ids(&["--facility", &first]).await, [2], "{kind:?}");
        ward.clinic.run(&["alerts", "list", "--output", "text"]).await.expect(0);
    }
}

#[tokio::test]
async fn the_alert_of_a_deleted_visit_is_changed_by_an_admin_of_the_group_alone() {
    for kind in Kind::ALL {
        let ward = forgotten(kind).await;
        let local = ward.clinic.user(ward.facilities[0], "HOSPITAL_ADMIN").await;
        for actor in [ward.nurses[0], local] {
            let message = ward.refuse(1, actor, 2, "ACTOR_NOT_ALLOWED").await;
            assert!(message.contains("deleted") && message.contains("of the whole group"), "{message}");
        }
        let admin = group_user(&ward.clinic, "HOSPITAL_ADMIN").await;
        ward.act("acknowledge", 1, admin, &[]).await.expect(0);
        ward.act("resolve", 1, admin, &[]).await.expect(0);
        let by = json!({"status": "RESOLVED", "acknowledged_by": admin, "resolved_by": admin});
        assert_eq!(ward.alert(1).await, by, "{kind:?}");
    }
}

#[tokio::test]
async fn of_a_deleted_visit_the_message_alone_is_revealed_and_that_is_recorded() {
    let ward = forgotten(Kind::Bigint).await;
    let report = ward.reveal(ward.nurses[0], &[]).await.expect(0).report();
    assert_eq!(report["alerts"].as_array().expect("a list").len(), 1, "nobody knows whose it is: {report}");
    let admin = group_user(&ward.clinic, "HOSPITAL_ADMIN").await;
    let report = ward.reveal(admin, &["--limit", "3"]).await.expect(0).report();
    let alert = &report["alerts"][2];
    let shown = ["patientName", "patientMrn", "doctorName"].map(|key| alert[key].clone());
    assert_eq!(shown, [json!(""), json!(""), json!(null)]);
    assert!(alert["message"].as_str().is_some_and(|message| message.contains("vitals not recorded")), "{alert}");
    let recorded = "SELECT count(*) FROM phi_access_log WHERE entity_id = '1' AND patient_id IS NULL";
    assert_eq!(ward.clinic.count(recorded).await, 1);
}

#[tokio::test]
async fn alerts_are_found_on_later_pages() {
    let ward = Ward::new().await;
    // 2,500 newer alerts of the second facility, which a filter has to pass.
    let [_, second] = ward.facilities;
    ward.clinic
        .sql(&format!(
            "WITH booked AS (
                 INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
                 SELECT {second}, doctor_id, patient_id, appointment_date, start_time
                 FROM appointments a, generate_series(1, 2500) WHERE a.id = 3
                 RETURNING id
             )
             INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)
             SELECT id, 'NO_VITALS', 'm', now() FROM booked"
        ))
        .await;
    let [first, second] = ward.facilities.map(|id| id.to_string());
    assert_eq!(ward.ids(&["--facility", &first]).await, [2, 1]);
    assert_eq!(ward.ids(&["--facility", &second, "--limit", "10000"]).await.len(), 2501);
    let all = ward.ids(&["--limit", "2501"]).await;
    assert!(all.len() == 2501 && all.windows(2).all(|pair| pair[0] > pair[1]), "the newest first, each once");
    assert_eq!(ward.ids(&["--limit", "10000"]).await.len(), 2503);
}
