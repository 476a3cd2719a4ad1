//! `rounds apply-absences`: its rule at every boundary, and everything a job owes.

mod by_hand;
mod changed;
mod previewed;
mod properties;
mod told;

use serde_json::json;

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

const DAY: &str = "2026-03-02";
const AT_0700: &str = "2026-03-02T07:00:00-05:00";

const SUBJECT: Subject = Subject {
    job: &["apply-absences", "--max-cancel", "100000", "--as-of", AT_0700],
    table: "appointments",
    written: ("absence_visits", "appointment_id"),
    evidence: &[
        ("absence_visits", "appointment_id", 1),
        ("(SELECT * FROM appointments WHERE status = 'CANCELLED')", "id", 1),
        ("(SELECT * FROM visit_cancellations WHERE outcome = 'BY_ABSENCE')", "appointment_id", 1),
        ("notifications", "entity_id", 2),
    ],
    entity: "appointment",
    done: "/applied",
    ..owed::SUBJECT
};

/// Visits of patients with a phone, whose doctor has an emergency.
struct LeaveFixture;

impl LeaveFixture {
    /// With so many that are due.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.many(facility, doctor, things).await;
        leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

owed::owed_by_the_job!(LeaveFixture);

/// Writes an absence: the first day, the last day, and the times on them.
async fn leave(clinic: &Clinic, doctor: i64, kind: &str, days_and_times: &str) -> i64 {
    let insert = format!(
        "INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time)
         VALUES (k($1), '{kind}', {days_and_times}) RETURNING n(id)"
    );
    clinic.row(&insert, &[&doctor]).await.get(0)
}

async fn run_at(clinic: &Clinic, as_of: &str, more: &[&str]) -> Outcome {
    let outcome = clinic.run(&[&["apply-absences", "--as-of", as_of], more].concat()).await;
    if outcome.report().get("scanned").is_some() {
        owed::balanced(&outcome, "applied");
    }
    outcome
}

async fn run(clinic: &Clinic) -> Outcome {
    run_at(clinic, AT_0700, &[]).await
}

/// A booked visit of that day with a slot.
async fn booked(clinic: &Clinic, facility: i64, doctor: i64, time: &str) -> i64 {
    let (status, checked_in) = ("SCHEDULED", None);
    clinic.visit(Visit { facility, doctor, date: DAY, time, status, checked_in, vitals: None, slot: Some(15) }).await
}

/// A free slot of a quarter of an hour.
async fn slot(clinic: &Clinic, doctor: i64, date: &str, time: &str) -> i64 {
    let insert = "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
                  VALUES (k($1), $2::text::date, $3::text::time, $3::text::time + interval '15 minutes')
                  RETURNING n(id)";
    clinic.row(insert, &[&doctor, &date, &time]).await.get(0)
}

/// Whether a slot is booked, is blocked, and has a visit.
async fn slot_state(clinic: &Clinic, slot: i64) -> [bool; 3] {
    let query = "SELECT is_booked, is_blocked, appointment_id IS NOT NULL FROM doctor_slots WHERE id = k($1)";
    let row = clinic.row(query, &[&slot]).await;
    [row.get(0), row.get(1), row.get(2)]
}

async fn slot_of(clinic: &Clinic, visit: i64) -> i64 {
    clinic.row("SELECT n(id) FROM doctor_slots WHERE appointment_id = k($1)", &[&visit]).await.get(0)
}

const FREE: [bool; 3] = [false, false, false];
const BLOCKED: [bool; 3] = [false, true, false];

#[tokio::test]
async fn an_emergency_cancels_its_visits_and_blocks_its_slots() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let colleague = clinic.doctor(facility, Some(15)).await;
        let mut visits = vec![];
        for status in ["SCHEDULED", "CONFIRMED", "CHECKED_IN", "IN_PROGRESS", "COMPLETED", "NO_SHOW"] {
            let time = format!("09:{}0", visits.len());
            let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T06:55-05");
            let visit =
                Visit { facility, doctor, date: DAY, time: &time, status, checked_in, vitals: None, slot: Some(10) };
            visits.push((clinic.visit(visit).await, status));
        }
        clinic.sql("UPDATE appointments SET notes = 'wheelchair' WHERE id = k(1)").await;
        let other = booked(&clinic, facility, colleague, "09:00").await;
        let free = slot(&clinic, doctor, DAY, "12:00").await;
        let next_day = slot(&clinic, doctor, "2026-03-03", "12:00").await;
        leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
        let report = run(&clinic).await.report();
        let counts =
            ["appointments_cancelled", "checked_in", "slots_blocked", "absences"].map(|key| report[key].as_u64());
        // The slots of the three that stay are blocked already, by their bookings; what is ours is recorded.
        assert_eq!(counts, [Some(3), Some(1), Some(7), Some(1)], "{kind:?} {report}");
        for (visit, status) in visits {
            let is_cancelled = ["SCHEDULED", "CONFIRMED", "CHECKED_IN"].contains(&status);
            let expected = if is_cancelled { "CANCELLED" } else { status };
            assert_eq!(clinic.status(visit).await, expected, "{kind:?}");
            let slots = "SELECT count(*) FROM doctor_slots WHERE appointment_id = k($1)";
            let row = clinic.row(slots, &[&visit]).await;
            assert_eq!(row.get::<_, i64>(0), i64::from(!is_cancelled), "{kind:?} {status}");
        }
        let notes = "SELECT array_agg(notes ORDER BY id) AS n FROM appointments WHERE status = 'CANCELLED'";
        let note = "Auto-cancelled due to doctor emergency leave";
        assert_eq!(clinic.json(notes).await["n"], json!([format!("wheelchair\n{note}"), note, note]));
        assert_eq!(slot_state(&clinic, free).await, BLOCKED);
        assert_eq!(slot_state(&clinic, next_day).await, FREE);
        assert_eq!(clinic.status(other).await, "SCHEDULED");
        let bookable = "SELECT count(*) FROM doctor_slots WHERE NOT is_booked AND NOT is_blocked";
        assert_eq!(clinic.count(bookable).await, 1);
        let cancelled_at = "SELECT count(*) FROM appointments WHERE cancelled_at = '2026-03-02T12:00Z'";
        assert_eq!(clinic.count(cancelled_at).await, 3, "{kind:?}");
        assert_eq!(run(&clinic).await.expect(0).count("scanned"), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn other_leave_blocks_slots_and_cancels_nothing() {
    for kind in ["ANNUAL_LEAVE", "SICK_LEAVE", "CONFERENCE", "TRAINING", "PERSONAL", "OTHER"] {
        let clinic = Clinic::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        let visit = booked(&clinic, facility, doctor, "09:00").await;
        let free = slot(&clinic, doctor, DAY, "10:00").await;
        leave(&clinic, doctor, kind, &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
        let report = run(&clinic).await.expect(0).report();
        let counts = ["appointments_cancelled", "slots_blocked", "visits_kept", "notifications"];
        assert_eq!(counts.map(|key| report[key].as_u64()), [0, 2, 1, 1].map(Some), "{kind} {report}");
        assert_eq!(clinic.status(visit).await, "SCHEDULED");
        assert_eq!(slot_state(&clinic, slot_of(&clinic, visit).await).await, [true, true, true]);
        assert_eq!(slot_state(&clinic, free).await, BLOCKED);
        let told = clinic.json("SELECT recipient_kind, type FROM notifications").await;
        assert_eq!(told, json!({"recipient_kind": "USER", "type": "ABSENCE_VISITS_KEPT"}), "no patient");
    }
}

/// Whether a visit and a slot from 09:00 to 09:30 of March 2 are inside an absence, as of an instant.
#[tokio::test]
async fn the_boundaries_of_an_absence_are_instants() {
    let cases = [
        ("'2026-03-02', '2026-03-02', NULL, NULL", true),
        // The last day is included.
        ("'2026-02-20', '2026-03-02', NULL, NULL", true),
        ("'2026-02-20', '2026-03-01', NULL, NULL", false),
        ("'2026-03-03', '2026-03-09', NULL, NULL", false),
        // A part of the day.
        ("'2026-03-02', '2026-03-02', '09:00', '09:30'", true),
        ("'2026-03-02', '2026-03-02', '09:29', '12:00'", true),
        ("'2026-03-02', '2026-03-02', '09:30', '12:00'", false),
        ("'2026-03-02', '2026-03-02', '08:00', '09:01'", true),
        ("'2026-03-02', '2026-03-02', '08:00', '09:00'", false),
        // Over midnight.
        ("'2026-03-01', '2026-03-02', '22:00', '09:00'", false),
        ("'2026-03-01', '2026-03-02', '22:00', '09:01'", true),
        ("'2026-03-02', '2026-03-03', '09:30', '06:00'", false),
        ("'2026-03-02', '2026-03-03', '09:29', '06:00'", true),
        ("'2026-03-01', '2026-03-03', '20:00', '06:00'", true),
    ];
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let (status, checked_in, vitals) = ("SCHEDULED", None, None);
        clinic
            .visit(Visit { facility, doctor, date: DAY, time: "09:00", status, checked_in, vitals, slot: Some(30) })
            .await;
        for (absence, is_inside) in cases {
            let reset = format!(
                "DELETE FROM doctor_absences; DELETE FROM blocked_slots; DELETE FROM absence_visits;
                 DELETE FROM absence_effects; DELETE FROM visit_cancellations;
                 UPDATE appointments SET status = 'SCHEDULED', cancelled_at = NULL;
                 UPDATE doctor_slots SET is_booked = true, is_blocked = true, appointment_id = k(1);
                 INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time)
                 VALUES (k({doctor}), 'EMERGENCY', {absence})"
            );
            clinic.sql(&reset).await;
            let outcome = run(&clinic).await.expect(0);
            assert_eq!(outcome.count("appointments_cancelled"), u64::from(is_inside), "{kind:?} {absence}");
            let blocked = clinic.json("SELECT NOT is_booked AND is_blocked AS b FROM doctor_slots").await;
            assert_eq!(blocked["b"], is_inside, "{kind:?} {absence}");
        }
    }
}

#[tokio::test]
async fn what_is_over_is_let_be() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let over = booked(&clinic, facility, doctor, "09:00").await;
    let at_work = booked(&clinic, facility, doctor, "09:15").await;
    let old = slot(&clinic, doctor, DAY, "08:00").await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    // The first ends at that moment.
    let outcome = run_at(&clinic, "2026-03-02T09:15:00-05:00", &[]).await.expect(0);
    assert_eq!(outcome.count("appointments_cancelled"), 1);
    assert_eq!(clinic.status(over).await, "SCHEDULED");
    assert_eq!(clinic.status(at_work).await, "CANCELLED");
    assert_eq!(slot_state(&clinic, old).await, FREE);
    let told = "SELECT count(*) FROM notifications WHERE entity_id = '1'";
    assert_eq!(clinic.count(told).await, 0, "nobody is told of a visit that is over");
}

#[tokio::test]
async fn both_clock_changes_are_counted_by_the_facilitys_clock() {
    // (zone, day, start of the absence, its end, start of a visit without a slot, inside)
    let cases = [
        // Spring: 02:30 is read as 03:30.
        ("2026-03-08", "02:00", "03:00", "02:30", false),
        ("2026-03-08", "03:00", "04:00", "02:30", true),
        ("2026-03-08", "01:00", "02:00", "01:50", true),
        // Autumn: 01:30 is the second one.
        ("2026-11-01", "01:00", "02:00", "01:30", true),
        ("2026-11-01", "00:00", "00:59", "01:00", false),
        ("2026-11-01", "02:00", "03:00", "01:45", false),
    ];
    for (day, from, to, visit, is_inside) in cases {
        let clinic = Clinic::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.scheduled(facility, doctor, day, visit).await;
        let slot = slot(&clinic, doctor, day, visit).await;
        leave(&clinic, doctor, "EMERGENCY", &format!("'{day}', '{day}', '{from}', '{to}'")).await;
        let outcome = run_at(&clinic, &format!("{day}T00:00:00-05:00"), &[]).await.expect(0);
        assert_eq!(outcome.count("appointments_cancelled"), u64::from(is_inside), "{day} {from} {visit}");
        assert_eq!(slot_state(&clinic, slot).await == BLOCKED, is_inside, "{day} {from} {visit}");
    }
}

#[tokio::test]
async fn visits_of_another_system_stay_and_are_listed() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let visit = booked(&clinic, facility, doctor, "09:00").await;
    clinic.sql("UPDATE appointments SET source = 'PRACTICEQ', external_id = 'x'").await;
    let id = leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    let report = run(&clinic).await.expect(0).report();
    assert_eq!([&report["appointments_cancelled"], &report["visits_kept"]], [0, 1]);
    assert_eq!(clinic.status(visit).await, "SCHEDULED");
    let shown = clinic.run(&["absences", "show", &id.to_string()]).await.expect(0).report();
    assert_eq!(shown["warnings"].as_array().map(Vec::len), Some(0), "it is over by the clock of today");
}

#[tokio::test]
async fn rows_that_cannot_be_judged_are_named_and_stop_nobody() {
    let clinic = Clinic::of(Kind::TextViews).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 3).await;
    for time in ["10:00", "11:00"] {
        slot(&clinic, doctor, DAY, time).await;
    }
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    let endless = clinic.doctor(facility, Some(15)).await;
    clinic.scheduled(facility, endless, DAY, "09:00").await;
    leave(&clinic, endless, "EMERGENCY", &format!("'{DAY}', '5874897-12-31', NULL, NULL")).await;
    clinic
        .sql(
            "UPDATE appointments SET start_time = '9h' WHERE id = k(2);
             UPDATE doctor_slots SET start_time = '10h' WHERE id = k(2)",
        )
        .await;
    let outcome = run(&clinic).await.expect(3);
    let counts = ["appointments_cancelled", "slots_blocked", "failed"].map(|key| outcome.count(key));
    assert_eq!(counts, [2, 1, 3], "{outcome:?}");
    let code = "UNREADABLE_TIME";
    let errors = json!([
        {"entity": "absence", "id": clinic.kind.text(2), "code": code},
        {"entity": "appointment", "id": clinic.kind.text(2), "code": code},
        {"entity": "slot", "id": clinic.kind.text(2), "code": code},
    ]);
    assert_eq!(outcome.report()["errors"], errors);
    assert_eq!(clinic.status(4).await, "SCHEDULED", "nobody knows when the doctor comes back");
}

#[tokio::test]
async fn a_slot_that_the_application_holds_is_left_to_the_next_run() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = booked(&clinic, facility, doctor, "09:00").await;
    let free = slot(&clinic, doctor, DAY, "10:00").await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    clinic.sql("BEGIN; SELECT FROM doctor_slots FOR NO KEY UPDATE").await;
    let outcome = run(&clinic).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 2}));
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.status(visit).await, "SCHEDULED", "a visit and its slot are changed together");
    let outcome = run(&clinic).await.expect(0);
    assert_eq!(["applied", "slots_blocked"].map(|key| outcome.count(key)), [2, 2]);
    assert_eq!(slot_state(&clinic, free).await, BLOCKED);
}
