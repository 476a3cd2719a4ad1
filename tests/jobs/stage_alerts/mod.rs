//! `rounds stage-alerts`: its rules at every boundary, and everything a job owes.

mod properties;

use serde_json::json;

use super::owed::{self, Owed, Subject};
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::{Clinic, program};

const DAY: &str = "2026-03-02";

/// A facility with a 15-minute doctor, a nurse and a receptionist; a visit at 09:00, checked in at 09:05.
struct FloorFixture {
    clinic: Clinic,
    facility: i64,
    doctor: i64,
    nurse: i64,
    visit: i64,
}

impl FloorFixture {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let nurse = clinic.user(facility, "NURSE").await;
        clinic.user(facility, "RECEPTIONIST").await;
        let mut fixture = Self { clinic, facility, doctor, nurse, visit: 0 };
        fixture.visit = fixture.checked_in(Some(15)).await;
        fixture
    }

    async fn checked_in(&self, slot: Option<i32>) -> i64 {
        let (facility, doctor) = (self.facility, self.doctor);
        let (status, checked_in) = ("CHECKED_IN", Some("2026-03-02T09:05-05"));
        let visit = Visit { facility, doctor, date: DAY, time: "09:00", status, checked_in, vitals: None, slot };
        self.clinic.visit(visit).await
    }

    /// Runs the job at a time of that day, New York.
    async fn run(&self, time: &str, more: &[&str]) -> program::Outcome {
        let as_of = format!("{DAY}T{time}-05:00");
        owed::ended(self.clinic.run(&[&["stage-alerts", "--as-of", &as_of], more].concat()).await)
    }

    async fn vitals(&self, time: &str) {
        self.clinic.sql(&format!("UPDATE appointments SET vitals_recorded_at = timestamptz '{DAY} {time}-05'")).await;
    }

    /// Type, status and triggered_at (New York) of all alerts.
    async fn alerts(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', alert_type, status, to_char(triggered_at AT TIME ZONE 'America/New_York',
                                                                       'HH24:MI')) FROM stage_alerts ORDER BY id";
        self.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
    }

    /// With so many visits without vitals, as what every job owes sees it.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let fixture = Self::of(kind).await;
        for _ in 1..things {
            fixture.checked_in(None).await;
        }
        Owed { subject: &SUBJECT, clinic: fixture.clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"],
    table: "appointments",
    written: ("stage_alerts", "appointment_id"),
    evidence: &[
        ("(SELECT * FROM stage_alerts WHERE alert_type = 'NO_VITALS' AND status = 'ACTIVE')", "appointment_id", 1),
        ("stage_alerts", "appointment_id", 1),
        ("notifications", "entity_id", 1),
    ],
    entity: "appointment",
    done: "/raised",
    ..owed::SUBJECT
};

owed::owed_by_the_job!(FloorFixture);

#[tokio::test]
async fn by_slot_end_each_stage_has_its_minutes() {
    let fixture = FloorFixture::new().await;
    assert_eq!(fixture.run("09:19:59.999", &[]).await.count("scanned"), 0, "slot end + 5 is 09:20");
    assert_eq!(fixture.run("09:20:00", &[]).await.report()["raised_by_type"]["no_vitals"], 1);
    assert_eq!(fixture.alerts().await, ["NO_VITALS ACTIVE 09:20"]);
    fixture.vitals("09:21").await;
    assert_eq!(fixture.run("09:24:59", &[]).await.count("resolved"), 1);
    assert_eq!(fixture.alerts().await, ["NO_VITALS RESOLVED 09:20"]);
    let outcome = fixture.run("09:25:00", &[]).await;
    assert_eq!((outcome.count("raised"), outcome.count("scanned")), (1, 1), "slot end + 10 is 09:25");
    assert_eq!(fixture.alerts().await, ["NO_VITALS RESOLVED 09:20", "NO_DOCTOR ACTIVE 09:25"]);
    assert_eq!(fixture.run("09:30:00", &[]).await.count("scanned"), 0, "a second run changes nothing");
}

#[tokio::test]
async fn the_day_by_arrival_comes_out_as_told() {
    let fixture = FloorFixture::new().await;
    let arrival = ["--basis", "arrival"];
    assert_eq!(fixture.run("09:09:59", &arrival).await.count("scanned"), 0);
    fixture.run("09:10:00", &arrival).await;
    assert_eq!(fixture.alerts().await, ["NO_VITALS ACTIVE 09:10"]);
    fixture.vitals("09:12").await;
    fixture.run("09:15:00", &arrival).await;
    assert_eq!(fixture.alerts().await, ["NO_VITALS RESOLVED 09:10"]);
    fixture.run("09:20:00", &arrival).await;
    assert_eq!(fixture.run("09:21:59", &arrival).await.count("scanned"), 0);
    fixture.run("09:25:00", &arrival).await;
    assert_eq!(fixture.alerts().await, ["NO_VITALS RESOLVED 09:10", "NO_DOCTOR ACTIVE 09:25"]);
    fixture.clinic.sql("UPDATE appointments SET status = 'IN_PROGRESS'").await;
    fixture.run("09:30:00", &arrival).await;
    assert_eq!(fixture.alerts().await, ["NO_VITALS RESOLVED 09:10", "NO_DOCTOR RESOLVED 09:25"]);
    let resolved = "SELECT count(*) FROM stage_alerts x JOIN cron_job_runs r ON r.id = x.resolved_run_id
                    WHERE x.resolved_by IS NULL AND r.metadata->'report'->>'resolved' = '1'";
    assert_eq!(fixture.clinic.count(resolved).await, 2);
    assert_eq!(fixture.clinic.mark("2026-03-02T09:30:00-05:00").await.expect(0).count("marked"), 0);
}

#[tokio::test]
async fn by_arrival_nobody_is_late_before_the_slot_begins() {
    let fixture = FloorFixture::new().await;
    fixture.clinic.sql("UPDATE appointments SET checked_in_at = '2026-03-02 08:30-05'").await;
    assert_eq!(fixture.run("09:04:59", &["--basis", "arrival"]).await.count("scanned"), 0);
    assert_eq!(fixture.run("09:05:00", &["--basis", "arrival"]).await.count("raised"), 1);
}

#[tokio::test]
async fn the_linked_slots_end_comes_before_the_slot_length() {
    let fixture = FloorFixture::new().await;
    fixture.clinic.sql("UPDATE doctor_slots SET end_time = '09:40'").await;
    assert_eq!(fixture.run("09:44:59", &[]).await.count("scanned"), 0);
    assert_eq!(fixture.run("09:45:00", &[]).await.count("raised"), 1);
}

#[tokio::test]
async fn minutes_are_flags() {
    let fixture = FloorFixture::new().await;
    assert_eq!(fixture.run("09:16:00", &["--no-vitals-minutes", "1"]).await.count("raised"), 1);
    fixture.vitals("09:17").await;
    let outcome = fixture.run("09:17:00", &["--no-doctor-minutes", "2"]).await;
    assert_eq!((outcome.count("raised"), outcome.count("resolved")), (1, 1));
}

#[tokio::test]
async fn waiting_counts_from_check_in_where_somebody_set_a_number() {
    let fixture = FloorFixture::new().await;
    let off = ["--no-vitals-minutes", "1440"];
    assert_eq!(fixture.run("12:00:00", &off).await.count("scanned"), 0, "off where nobody set it");
    let flag = [&off[..], &["--waiting-minutes", "30"]].concat();
    assert_eq!(fixture.run("09:34:59", &flag).await.count("scanned"), 0);
    fixture.clinic.sql("UPDATE facilities SET waiting_alert_minutes = 40").await;
    assert_eq!(fixture.run("09:44:59", &flag).await.count("scanned"), 0, "the facility's own number counts");
    let outcome = fixture.run("09:45:00", &flag).await;
    assert_eq!(outcome.report()["raised_by_type"]["waiting_too_long"], 1);
    assert_eq!(outcome.count("notifications"), 3, "doctor, nurse and receptionist");
}

#[tokio::test]
async fn an_alert_comes_once_ever() {
    let fixture = FloorFixture::new().await;
    fixture.run("09:20:00", &[]).await;
    let nurse = fixture.nurse;
    let by = format!("acknowledged_by = {nurse}, acknowledged_at = triggered_at");
    fixture.clinic.sql(&format!("UPDATE stage_alerts SET status = 'ACKNOWLEDGED', {by}")).await;
    assert_eq!(fixture.run("09:25:00", &[]).await.count("scanned"), 0, "acknowledged, and still no vitals");
    let by = format!("resolved_by = {nurse}, resolved_at = triggered_at");
    fixture.clinic.sql(&format!("UPDATE stage_alerts SET status = 'RESOLVED', {by}")).await;
    assert_eq!(fixture.run("09:30:00", &[]).await.count("scanned"), 0, "resolved by a person");
    assert_eq!(fixture.alerts().await.len(), 1);
}

#[tokio::test]
async fn an_acknowledged_alert_resolves_when_the_visit_moves_on() {
    let fixture = FloorFixture::new().await;
    fixture.run("09:20:00", &[]).await;
    let by = format!("acknowledged_by = {}, acknowledged_at = triggered_at", fixture.nurse);
    fixture.clinic.sql(&format!("UPDATE stage_alerts SET status = 'ACKNOWLEDGED', {by}")).await;
    fixture.clinic.sql("UPDATE appointments SET status = 'COMPLETED'").await;
    assert_eq!(fixture.run("09:25:00", &[]).await.count("resolved"), 1);
    let row = fixture.clinic.json("SELECT resolved_by, acknowledged_by FROM stage_alerts").await;
    assert_eq!(row, json!({"resolved_by": null, "acknowledged_by": fixture.nurse.to_string()}));
}

#[tokio::test]
async fn staff_read_the_right_words_and_the_right_staff_does() {
    let fixture = FloorFixture::new().await;
    let clinic = &fixture.clinic;
    // Not told: who is inactive, and who works elsewhere.
    let inactive = clinic.user(fixture.facility, "NURSE").await;
    clinic.sql(&format!("UPDATE users SET active = false WHERE id = {inactive}")).await;
    let elsewhere = clinic.facility("America/Denver", None).await;
    clinic.user(elsewhere, "NURSE").await;
    clinic.sql("UPDATE facilities SET waiting_alert_minutes = 30; UPDATE patients SET mrn = 'M2'").await;
    fixture.run("09:40:00", &[]).await;
    fixture.vitals("09:41").await;
    fixture.run("09:45:00", &[]).await;
    let query = "SELECT concat_ws(' | ', n.channel, n.status, n.type, n.priority, u.role, n.title, n.body, n.metadata,
                                  n.dedupe_key)
                 FROM notifications n JOIN users u ON u.id::text = n.recipient_id
                 WHERE n.recipient_kind = 'USER' ORDER BY n.id";
    let rows = clinic.rows(query).await;
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    insta::assert_snapshot!("stage_alerts", lines.join("\n"));
}

#[tokio::test]
async fn an_alert_that_nobody_can_be_told_of_is_raised_all_the_same() {
    let fixture = FloorFixture::new().await;
    fixture.clinic.sql("UPDATE users SET active = false").await;
    let outcome = fixture.run("09:20:00", &[]).await;
    assert_eq!((outcome.count("raised"), outcome.count("notifications"), outcome.count("undeliverable")), (1, 0, 1));
}

#[tokio::test]
async fn where_those_whom_it_concerns_are_missing_the_admins_are_alerted_and_no_manager() {
    let fixture = FloorFixture::new().await;
    let clinic = &fixture.clinic;
    let admin = clinic.user(fixture.facility, "HOSPITAL_ADMIN").await;
    let elsewhere = clinic.facility("America/Denver", None).await;
    clinic.user(elsewhere, "HOSPITAL_ADMIN").await;
    clinic.user(fixture.facility, "MANAGER").await;
    clinic.sql("UPDATE users SET active = false WHERE role IN ('NURSE', 'DOCTOR')").await;
    assert_eq!(fixture.run("09:20:00", &[]).await.count("undeliverable"), 0, "no vitals");
    fixture.vitals("09:21").await;
    assert_eq!(fixture.run("09:40:00", &[]).await.count("undeliverable"), 0, "no doctor");
    let told = clinic.rows("SELECT type, n(recipient_id) FROM notifications ORDER BY id").await;
    let told: Vec<(String, i64)> = told.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(told, [("STAGE_ALERT_NO_VITALS".to_owned(), admin), ("STAGE_ALERT_NO_DOCTOR".to_owned(), admin)]);
}

#[tokio::test]
async fn of_a_patient_who_waits_too_long_only_those_who_deal_with_alerts_are_told() {
    let fixture = FloorFixture::new().await;
    let clinic = &fixture.clinic;
    let elsewhere = clinic.facility("America/Denver", None).await;
    for role in ["HOSPITAL_ADMIN", "SUPERVISOR", "BILLING", "CASE_MANAGER", "AGENT", "MANAGER"] {
        clinic.user(fixture.facility, role).await;
        clinic.user(elsewhere, role).await;
    }
    clinic.of_the_group().await;
    let roles = async |time: &str| -> Vec<String> {
        fixture.run(time, &["--waiting-minutes", "10"]).await;
        let rows = clinic
            .rows(
                "SELECT DISTINCT concat_ws(' ', u.role, u.facility_id) FROM notifications x
                 JOIN users u ON u.id::text = x.recipient_id WHERE x.type = 'STAGE_ALERT_WAITING_TOO_LONG' ORDER BY 1",
            )
            .await;
        rows.iter().map(|row| row.get(0)).collect()
    };
    let told = ["DOCTOR", "HOSPITAL_ADMIN", "NURSE", "RECEPTIONIST"].map(|role| format!("{role} {}", fixture.facility));
    assert_eq!(roles("09:16:00").await, told);
    // Where none of them is there, it is for the admins of the group, and for nobody else.
    clinic.sql("DELETE FROM stage_alerts; DELETE FROM notifications").await;
    let mute = "UPDATE users SET active = false WHERE facility_id IS NOT NULL
                AND role IN ('DOCTOR', 'HOSPITAL_ADMIN', 'NURSE', 'RECEPTIONIST')";
    clinic.sql(mute).await;
    assert_eq!(roles("09:17:00").await, ["HOSPITAL_ADMIN"]);
}

#[tokio::test]
async fn other_visits_are_left_alone() {
    let fixture = FloorFixture::new().await;
    for status in ["SCHEDULED", "CONFIRMED", "IN_PROGRESS", "COMPLETED", "NO_SHOW"] {
        fixture.clinic.sql(&format!("UPDATE appointments SET status = '{status}'")).await;
        assert_eq!(fixture.run("12:00:00", &["--waiting-minutes", "1"]).await.count("scanned"), 0, "{status}");
    }
    fixture.clinic.sql("UPDATE appointments SET status = 'CHECKED_IN', appointment_date = '2026-03-01'").await;
    assert_eq!(fixture.run("12:00:00", &["--lookback-days", "0"]).await.count("scanned"), 0);
    assert_eq!(fixture.run("12:00:00", &["--lookback-days", "1"]).await.count("raised"), 1);
}

#[tokio::test]
async fn a_clinic_that_never_closes_visits_is_not_flooded() {
    let fixture = FloorFixture::new().await;
    let clinic = &fixture.clinic;
    for _ in 1..5 {
        fixture.checked_in(None).await;
    }
    // Of five visits that nobody has closed three are older than yesterday, by the facility's calendar: at 23:30 in New
    // York it is the next day in UTC.
    clinic.sql("UPDATE appointments SET appointment_date = date '2026-03-03' - id::int").await;
    for as_of in ["2026-03-02T15:00:00Z", "2026-03-03T04:30:00Z"] {
        let outcome = clinic.run(&["stage-alerts", "--dry-run", "--as-of", as_of]).await.expect(0);
        assert_eq!((outcome.count("scanned"), outcome.count("raised")), (2, 2), "{as_of}");
    }
    let outcome = clinic.run(&["stage-alerts", "--as-of", "2026-03-03T11:00:00Z"]).await.expect(0);
    assert_eq!(outcome.count("raised"), 1, "of March 2 alone");
    let args = ["stage-alerts", "--as-of", "2026-03-03T11:00:00Z", "--lookback-days", "3650"];
    assert_eq!(clinic.run(&args).await.expect(0).count("raised"), 4, "where somebody asks for them");
    // Whatever its day, an open alert ends with its cause.
    clinic.sql("UPDATE appointments SET status = 'COMPLETED'").await;
    assert_eq!(clinic.run(&["stage-alerts", "--as-of", "2026-03-10T11:00:00Z"]).await.expect(0).count("resolved"), 5);
    clinic.run(&["stage-alerts", "--lookback-days", "3651"]).await.expect(2);
}

#[tokio::test]
async fn a_visit_that_was_moved_is_alerted_for_its_new_start() {
    for kind in Kind::ALL {
        let fixture = FloorFixture::of(kind).await;
        let clinic = &fixture.clinic;
        assert_eq!(fixture.run("09:20:00", &[]).await.count("raised"), 1, "{kind:?}");
        // A week later, and the patient waits again.
        clinic.sql("UPDATE appointments SET status = 'SCHEDULED', appointment_date = '2026-03-09'").await;
        clinic.sql("DELETE FROM doctor_slots").await;
        assert_eq!(fixture.run("09:25:00", &[]).await.count("resolved"), 1, "{kind:?}");
        clinic.sql("UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-09 08:50-04'").await;
        let next = ["stage-alerts", "--as-of", "2026-03-09T09:20:00-04:00"];
        assert_eq!(clinic.run(&next).await.expect(0).count("raised"), 1, "{kind:?}");
        assert_eq!(clinic.run(&next).await.expect(0).count("scanned"), 0, "{kind:?}: once for that start");
        // While the patient waits: the old alert is resolved, and the one for the new start comes when due.
        clinic.sql("UPDATE appointments SET start_time = '10:00'").await;
        let moved = clinic.run(&["stage-alerts", "--as-of", "2026-03-09T09:25:00-04:00"]).await.expect(0);
        assert_eq!((moved.count("resolved"), moved.count("scanned")), (1, 1), "{kind:?}");
        let both = clinic.run(&["stage-alerts", "--as-of", "2026-03-09T10:20:00-04:00"]).await.expect(0);
        assert_eq!(both.count("raised"), 1, "{kind:?}");
        let alerts =
            clinic.json("SELECT jsonb_agg(jsonb_build_array(visit_start, status) ORDER BY id) AS a FROM stage_alerts");
        let expected = json!([
            ["2026-03-02T09:00:00", "RESOLVED"],
            ["2026-03-09T09:00:00", "RESOLVED"],
            ["2026-03-09T10:00:00", "ACTIVE"]
        ]);
        assert_eq!(alerts.await["a"], expected, "{kind:?}");
        assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 3, "{kind:?}: told each time");
    }
}

#[tokio::test]
async fn an_alert_from_before_starts_were_kept_is_that_of_its_day() {
    // (when it was raised, whether the visit of March 2, 09:00 is alerted once more)
    for (raised, again) in [("2026-03-02 09:10-05", 0), ("2026-03-01 09:00-05", 0), ("2026-03-01 08:59-05", 1)] {
        let fixture = FloorFixture::new().await;
        fixture
            .clinic
            .sql(&format!(
                "INSERT INTO stage_alerts (appointment_id, alert_type, status, resolved_at, message, triggered_at)
                 SELECT id::text, 'NO_VITALS', 'RESOLVED', '{raised}', 'm', '{raised}' FROM appointments"
            ))
            .await;
        assert_eq!(fixture.run("09:20:00", &[]).await.count("raised"), again, "{raised}");
    }
}

#[tokio::test]
async fn a_visit_that_is_held_or_moves_on_gets_no_alert() {
    let fixture = FloorFixture::new().await;
    let second = fixture.checked_in(None).await;
    fixture
        .clinic
        .sql(&format!("BEGIN; SELECT FROM appointments WHERE id = {} FOR NO KEY UPDATE", fixture.visit))
        .await;
    let outcome = fixture.run("09:20:00", &[]).await;
    assert_eq!((outcome.count("scanned"), outcome.count("raised")), (2, 1));
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    fixture.clinic.sql("COMMIT").await;
    assert_eq!(
        fixture.clinic.count(&format!("SELECT count(*) FROM stage_alerts WHERE n(appointment_id) = {second}")).await,
        1
    );
    assert_eq!(fixture.run("09:20:00", &[]).await.count("raised"), 1);
}

#[tokio::test]
async fn an_alert_that_is_being_acknowledged_is_left_to_the_next_run() {
    let fixture = FloorFixture::new().await;
    fixture.run("09:20:00", &[]).await;
    fixture.vitals("09:21").await;
    fixture.clinic.sql("BEGIN; SELECT FROM stage_alerts FOR UPDATE").await;
    let outcome = fixture.run("09:22:00", &[]).await;
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    fixture.clinic.sql("COMMIT").await;
    assert_eq!(fixture.run("09:22:00", &[]).await.count("resolved"), 1);
}

#[tokio::test]
async fn rows_that_cannot_be_judged_are_named_and_stop_nobody() {
    let fixture = FloorFixture::new().await;
    let unset = fixture.clinic.doctor(fixture.facility, None).await;
    let without_slot = fixture.checked_in(None).await;
    fixture.clinic.sql(&format!("UPDATE appointments SET doctor_id = {unset} WHERE id = {without_slot}")).await;
    fixture.clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    let lost = fixture.clinic.facility("CANARY/Nowhere", Some(1)).await;
    let args = ["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00", "--waiting-minutes", "1"];
    let outcome = fixture.clinic.run(&args).await.expect(3);
    let errors = json!([
        {"entity": "facility", "id": lost.to_string(), "code": "UNKNOWN_TIME_ZONE"},
        {"entity": "doctor", "id": unset.to_string(), "code": "NO_SLOT_LENGTH"},
    ]);
    assert_eq!(outcome.report()["errors"], errors);
    assert_eq!(outcome.count("raised"), 3, "one without vitals; both wait too long");
    // By arrival the slot length is not needed.
    let arrival = fixture.clinic.run(&[&args[..], &["--basis", "arrival"]].concat()).await.expect(3);
    assert_eq!(arrival.count("failed"), 1);
    assert_eq!(arrival.report()["raised_by_type"]["no_vitals"], 1);
}

/// The errors of a report, as entity, number and code.
fn errors(outcome: &program::Outcome) -> Vec<String> {
    let errors = outcome.report()["errors"].as_array().expect("a list").clone();
    let text = |error: &serde_json::Value, key: &str| error[key].as_str().expect("a text").to_owned();
    let number = |id: String| id.trim_start_matches(|c: char| !c.is_ascii_digit() || c == '0').to_owned();
    let said = |error| [text(error, "entity"), number(text(error, "id")), text(error, "code")].join(" ");
    errors.iter().map(said).collect()
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_named_where_an_alert_depends_on_it() {
    let fixture = FloorFixture::of(Kind::TextViews).await;
    let clinic = &fixture.clinic;
    // 1 can be read. Of 2 and 3 the start cannot, but 3 has a slot. 4 was checked in after all calendars.
    fixture.checked_in(None).await;
    fixture.checked_in(None).await;
    fixture.checked_in(None).await;
    clinic
        .sql(
            "UPDATE appointments SET start_time = '9h' WHERE id IN (k(2), k(3));
             UPDATE appointments SET checked_in_at = '290000-01-01' WHERE id = k(4);
             INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             SELECT doctor_id, appointment_date, '09:15', '09:30', true, id FROM appointments WHERE id = k(3)",
        )
        .await;
    let run = async |more: &[&str]| {
        let args = ["stage-alerts", "--dry-run", "--as-of", "2026-03-02T09:35:00-05:00"];
        clinic.run(&[&args[..], more].concat()).await.expect(3)
    };
    let outcome = run(&[]).await;
    assert_eq!(errors(&outcome), ["appointment 2 UNREADABLE_TIME"]);
    assert_eq!((outcome.count("raised"), outcome.count("scanned")), (3, 4));
    assert!(!outcome.stderr.contains("9h"), "{}", outcome.stderr);
    let outcome = run(&["--basis", "arrival"]).await;
    let unreadable = [2, 3, 4].map(|visit| format!("appointment {visit} UNREADABLE_TIME"));
    assert_eq!(errors(&outcome), unreadable);
    assert_eq!(outcome.count("raised"), 1);
    let outcome = run(&["--waiting-minutes", "1"]).await;
    assert_eq!(errors(&outcome), ["appointment 2 UNREADABLE_TIME", "appointment 4 UNREADABLE_TIME"]);
    assert_eq!(outcome.report()["raised_by_type"], json!({"no_vitals": 3, "no_doctor": 0, "waiting_too_long": 3}));
    let args = ["stage-alerts", "--as-of", "2026-03-02T09:35:00-05:00"];
    clinic.run(&args).await.expect(3);
    let recorded = "SELECT n(entity_id) FROM cron_job_run_errors WHERE error_code = 'UNREADABLE_TIME'";
    assert_eq!(clinic.count(recorded).await, 2);
    // The vitals of a visit that has them, but nobody knows when.
    clinic.sql("UPDATE appointments SET vitals_recorded_at = '290000-01-01' WHERE id = k(1)").await;
    let outcome = run(&["--basis", "arrival"]).await;
    assert_eq!(errors(&outcome), ["appointment 1 UNREADABLE_TIME", "appointment 2 UNREADABLE_TIME"]);
    assert_eq!(outcome.count("resolved"), 1, "there are vitals");
}

#[tokio::test]
async fn values_that_a_view_may_give_stop_nobody() {
    for kind in Kind::ALL {
        let fixture = FloorFixture::of(kind).await;
        let clinic = &fixture.clinic;
        fixture.checked_in(None).await;
        let nowhere = clinic.facility("America/Denver", None).await;
        let stranded = fixture.checked_in(None).await;
        let schema = if kind == Kind::TextViews { "app" } else { "rounds" };
        clinic
            .sql(&format!(
                "ALTER TABLE {schema}.facilities DROP CONSTRAINT facilities_time_zone_known;
                 ALTER TABLE {schema}.facilities ALTER time_zone DROP NOT NULL;
                 UPDATE facilities SET time_zone = NULL WHERE id = k({nowhere});
                 UPDATE appointments SET facility_id = k({nowhere}) WHERE id = k({stranded});
                 UPDATE appointments SET appointment_date = '5874897-12-31' WHERE id = k(2)"
            ))
            .await;
        let args = ["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"];
        let outcome = clinic.run(&args).await.expect(3);
        // A visit of a day that cannot be read is of no day that is looked at.
        assert_eq!(errors(&outcome), [format!("facility {nowhere} UNKNOWN_TIME_ZONE")], "{kind:?}");
        assert_eq!(outcome.count("raised"), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_doctor_is_named_whose_visit_has_a_slot_that_cannot_be_read() {
    let fixture = FloorFixture::of(Kind::TextViews).await;
    fixture.clinic.sql("UPDATE doctor_slots SET end_time = '9h15'").await;
    assert_eq!(fixture.run("09:19:59", &[]).await.count("scanned"), 0, "the slot length counts");
    fixture.clinic.sql("UPDATE doctors SET slot_duration_minutes = NULL").await;
    let args = ["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"];
    let outcome = fixture.clinic.run(&args).await.expect(3);
    assert_eq!(errors(&outcome), [format!("doctor {} NO_SLOT_LENGTH", fixture.doctor)]);
}

#[tokio::test]
async fn the_alert_of_a_deleted_visit_is_resolved_by_the_next_run() {
    for kind in Kind::ALL {
        let fixture = FloorFixture::of(kind).await;
        let second = fixture.checked_in(None).await;
        assert_eq!(fixture.run("09:20:00", &[]).await.count("raised"), 2, "{kind:?}");
        let acknowledged = "status = 'ACKNOWLEDGED', acknowledged_by = 'x', acknowledged_at = triggered_at";
        fixture.clinic.sql(&format!("UPDATE stage_alerts SET {acknowledged}")).await;
        fixture
            .clinic
            .sql(&format!("DELETE FROM doctor_slots; DELETE FROM appointments WHERE id = k({})", fixture.visit))
            .await;
        let outcome = fixture.run("09:25:00", &[]).await;
        assert_eq!((outcome.count("resolved"), outcome.count("scanned")), (1, 1), "{kind:?}");
        let alerts = fixture.clinic.json(
            "SELECT jsonb_agg(jsonb_build_array(n(appointment_id), status, resolved_by, resolved_run_id) ORDER BY id)
                        AS a FROM stage_alerts",
        );
        let run = outcome.report()["run_id"].clone();
        let expected = json!([[fixture.visit, "RESOLVED", null, run], [second, "ACKNOWLEDGED", null, null]]);
        assert_eq!(alerts.await["a"], expected, "{kind:?}");
        assert_eq!(fixture.run("09:26:00", &[]).await.count("scanned"), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_visit_that_moves_on_or_has_vitals_ends_its_alert_whatever_its_key() {
    for kind in [Kind::Uuid, Kind::TextViews] {
        let fixture = FloorFixture::of(kind).await;
        fixture.run("09:20:00", &[]).await;
        fixture.vitals("09:21").await;
        assert_eq!(fixture.run("09:22:00", &[]).await.count("resolved"), 1, "{kind:?}");
        assert_eq!(fixture.run("09:25:00", &[]).await.report()["raised_by_type"]["no_doctor"], 1, "{kind:?}");
        fixture.clinic.sql("UPDATE appointments SET status = 'IN_PROGRESS'").await;
        assert_eq!(fixture.run("09:26:00", &[]).await.count("resolved"), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn alerts_that_are_older_than_the_type_of_the_keys_are_resolved() {
    let clinic = Clinic::of(Kind::Uuid).await;
    let (facility, doctor) = clinic.new_york(15).await;
    let (date, time, status) = ("2026-03-02", "09:00", "CHECKED_IN");
    let checked_in = Some("2026-03-02T08:55-05");
    let visit =
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    clinic
        .sql(&format!(
            "INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)
             VALUES ('7', 'NO_DOCTOR', 'm', '2026-03-01'), (k({visit})::text, 'NO_VITALS', 'm', '2026-03-01')"
        ))
        .await;
    let outcome = clinic.run(&["stage-alerts", "--as-of", "2026-03-02T14:00:00Z"]).await.expect(0);
    assert_eq!(outcome.count("resolved"), 1, "{outcome:?}");
    let listed = clinic.run(&["alerts", "list", "--all"]).await.expect(0).report();
    let facilities: Vec<&serde_json::Value> =
        listed["alerts"].as_array().expect("a list").iter().map(|a| &a["facilityId"]).collect();
    assert_eq!(facilities, [&json!(clinic.kind.text(facility)), &json!(null)], "{listed}");
}

#[tokio::test]
async fn a_visit_with_two_slots_has_one_alert_of_a_type() {
    let clinic = Clinic::of(Kind::TextViews).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "NURSE").await;
    let (date, time, status) = ("2026-03-02", "09:00", "CHECKED_IN");
    let checked_in = Some("2026-03-02T08:55-05");
    let visit =
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: Some(15) }).await;
    clinic
        .sql(&format!(
            "ALTER TABLE app.doctor_slots DROP CONSTRAINT doctor_slots_appointment_id_key;
             INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             VALUES (k({doctor}), '2026-03-02', '09:15', '09:30', true, k({visit}))"
        ))
        .await;
    // The later slot counts.
    let early = clinic.run(&["stage-alerts", "--as-of", "2026-03-02T14:34:59Z"]).await.expect(0);
    assert_eq!(early.count("raised"), 0, "{early:?}");
    let late = clinic.run(&["stage-alerts", "--as-of", "2026-03-02T14:35:00Z"]).await.expect(0);
    assert_eq!(late.count("raised"), 1, "{late:?}");
}
