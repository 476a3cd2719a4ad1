//! `rounds notify-cancellations`: who is told of a cancelled visit and when, what becomes of its slot, episodes, and
//! everything a job owes.

mod episodes;
mod ledger;
mod properties;

use serde_json::{Value, json};

use super::messages::read_as_staged;
use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

const DAY: &str = "2026-03-02";
const AT_0730: &str = "2026-03-02T07:30:00-05:00";

const SUBJECT: Subject = Subject {
    job: &["notify-cancellations", "--as-of", AT_0730],
    table: "appointments",
    written: ("notifications", "entity_id"),
    evidence: &[
        ("(SELECT * FROM visit_cancellations WHERE outcome = 'TOLD')", "appointment_id", 1),
        ("(SELECT * FROM doctor_slots WHERE appointment_id IS NULL AND NOT is_booked)", "id", 1),
        ("notifications", "entity_id", 1),
    ],
    entity: "appointment",
    done: "/handled",
    ..owed::SUBJECT
};

/// Cancelled visits, each with a slot, of a doctor who can be told.
struct CancelledFixture;

impl CancelledFixture {
    /// With so many that are due.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.many(facility, doctor, things).await;
        clinic
            .sql(&format!(
                "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
                 SELECT k({doctor}), '2026-03-02', time '00:00' + n * interval '1 second', '23:59', true, k(n)
                 FROM generate_series(1, {things}) n;
                 UPDATE appointments SET status = 'CANCELLED', cancelled_at = timestamptz '{AT_0730}'"
            ))
            .await;
        began(&clinic, "2026-03-01T12:00Z").await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

owed::owed_by_the_job!(CancelledFixture);

/// The ledger has begun at an instant.
async fn began(clinic: &Clinic, at: &str) {
    let insert = "INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome) VALUES";
    clinic.sql(&format!("{insert} ('{at}', '{at}', 'BEGAN')")).await;
}

/// A clinic in New York whose ledger has begun: (clinic, facility, doctor). A slot has 15 minutes.
async fn new_york(kind: Kind) -> (Clinic, i64, i64) {
    let clinic = Clinic::of(kind).await;
    let (facility, doctor) = clinic.new_york(15).await;
    began(&clinic, "2026-01-01T12:00Z").await;
    (clinic, facility, doctor)
}

/// A scheduled visit.
fn at(facility: i64, doctor: i64, date: &'static str, time: &'static str, slot: Option<i32>) -> Visit<'static> {
    Visit { facility, doctor, date, time, status: "SCHEDULED", checked_in: None, vitals: None, slot }
}

async fn cancel(clinic: &Clinic, visit: i64, at: &str) {
    let update = "UPDATE appointments SET status = 'CANCELLED', cancelled_at";
    clinic.sql(&format!("{update} = timestamptz '{at}' WHERE id = k({visit})")).await;
}

/// As an application does that has no time of a cancellation.
async fn cancel_without_time(clinic: &Clinic, visit: i64) {
    let table = if clinic.kind == Kind::TextViews { "app.appointments" } else { "appointments" };
    clinic
        .sql(&format!(
            "DO $$ BEGIN
                 EXECUTE (SELECT coalesce(string_agg(format('ALTER TABLE {table} DROP CONSTRAINT %I', conname), ';'), 'SELECT')
                          FROM pg_constraint WHERE conrelid = '{table}'::regclass
                          AND pg_get_constraintdef(oid) LIKE '%cancelled_at IS NOT NULL%');
             END $$;
             UPDATE appointments SET status = 'CANCELLED' WHERE id = k({visit})"
        ))
        .await;
}

async fn book_again(clinic: &Clinic, visit: i64) {
    let update = "UPDATE appointments SET status = 'SCHEDULED', cancelled_at = NULL";
    clinic.sql(&format!("{update} WHERE id = k({visit})")).await;
}

async fn run(clinic: &Clinic, at: &str) -> Outcome {
    owed::ended(clinic.run(&["notify-cancellations", "--as-of", at]).await)
}

/// The outcomes in the ledger of a visit, the oldest first; with a cross if it has ended.
async fn outcomes(clinic: &Clinic, visit: i64) -> Vec<String> {
    let query = "SELECT concat(outcome, CASE WHEN ended_at IS NOT NULL THEN ' x' END) FROM visit_cancellations
                 WHERE n(appointment_id) = $1 ORDER BY id";
    clinic.client.query(query, &[&visit]).await.expect("can be read").iter().map(|row| row.get(0)).collect()
}

/// Who was told: [user, priority, channel], in order.
async fn told(clinic: &Clinic) -> Value {
    let query =
        "SELECT coalesce(jsonb_agg(jsonb_build_array(n(recipient_id), priority, channel) ORDER BY id), '[]') AS t
                 FROM notifications WHERE type = 'VISIT_CANCELLED'";
    clinic.json(query).await["t"].clone()
}

#[tokio::test]
async fn a_visit_cancelled_on_the_morning_is_told_at_once_and_its_slot_is_free() {
    for kind in Kind::ALL {
        let (clinic, facility, doctor) = new_york(kind).await;
        let visit = clinic.visit(at(facility, doctor, "2026-01-22", "09:00", Some(30))).await;
        clinic.sql("UPDATE patients SET first_name = 'John', last_name = 'Smith'").await;
        cancel(&clinic, visit, "2026-01-22T07:30:00-05:00").await;
        let report = run(&clinic, "2026-01-22T07:31:00-05:00").await.report();
        for (key, value) in [
            ("scanned", json!(1)),
            ("handled", json!(1)),
            ("told", json!(1)),
            ("told_stand_ins", json!(0)),
            ("last_minute", json!(1)),
            ("slots_released", json!(1)),
            ("slots_blocked", json!(0)),
            ("notifications", json!(1)),
            ("untold", json!({"before": 0, "past": 0, "by_doctor": 0})),
            ("undeliverable", json!(0)),
            ("ended", json!(0)),
        ] {
            assert_eq!(report[key], value, "{kind:?} {key}");
        }
        let notice = clinic.json("SELECT * FROM notifications").await;
        for (key, value) in [
            ("recipient_kind", json!("USER")),
            ("channel", json!("IN_APP")),
            ("priority", json!("HIGH")),
            ("title", json!("Last-Minute Cancellation")),
            ("body", json!("John Smith cancelled their 09:00 appointment on Jan 22")),
            ("expires_at", json!("2026-01-22T14:30:00+00:00")),
            ("status", json!("SENT")),
            ("entity", json!("appointment")),
            ("entity_id", json!(kind.text(visit))),
            ("facility_id", json!(kind.text(facility))),
        ] {
            assert_eq!(notice[key], value, "{kind:?} {key}");
        }
        let metadata = json!({"appointment_id": kind.text(visit), "starts_at": "2026-01-22T14:00:00+00:00",
                              "cancelled_at": "2026-01-22T12:30:00+00:00", "hours_until_start": 1.5,
                              "isLastMinute": true});
        assert_eq!(notice["metadata"], metadata, "{kind:?}");
        let slot = clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
        assert_eq!(slot, json!({"is_booked": false, "is_blocked": false, "appointment_id": null}), "{kind:?}");
        let row = "SELECT visit_start, cancelled_at, seen_at, outcome, ended_at, run_id FROM visit_cancellations
                   WHERE appointment_id IS NOT NULL";
        let expected = json!({"visit_start": "2026-01-22T09:00:00", "cancelled_at": "2026-01-22T12:30:00+00:00",
                              "seen_at": "2026-01-22T12:31:00+00:00", "outcome": "TOLD", "ended_at": null,
                              "run_id": report["run_id"]});
        assert_eq!(clinic.json(row).await, expected, "{kind:?}");
        assert_eq!(run(&clinic, "2026-01-22T07:33:00-05:00").await.count("scanned"), 0);
    }
}

#[tokio::test]
async fn hours_count_from_the_cancellation_and_both_bounds_are_included() {
    const HIGH: Option<bool> = Some(true);
    const NORMAL: Option<bool> = Some(false);
    // (day, start, cancelled, told HIGH or NORMAL, or not)
    let cases = [
        ("2026-03-02", "09:00", "2026-03-01T08:59:59.999999-05:00", NORMAL),
        ("2026-03-02", "09:00", "2026-03-01T09:00:00-05:00", HIGH),
        ("2026-03-02", "09:00", "2026-03-02T08:59:59.999999-05:00", HIGH),
        ("2026-03-02", "09:00", "2026-03-02T09:00:00-05:00", HIGH),
        ("2026-03-02", "09:00", "2026-03-02T09:00:00.000001-05:00", None),
        // The clock goes forward in the night: 24 hours before 12:00 it was 11:00.
        ("2026-03-08", "12:00", "2026-03-07T10:59:59-05:00", NORMAL),
        ("2026-03-08", "12:00", "2026-03-07T11:00:00-05:00", HIGH),
        // It goes back: 24 hours before 12:00 it was 13:00.
        ("2026-11-01", "12:00", "2026-10-31T12:59:59-04:00", NORMAL),
        ("2026-11-01", "12:00", "2026-10-31T13:00:00-04:00", HIGH),
    ];
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    for (date, time, cancelled, is_high) in cases {
        clinic.sql("DELETE FROM notifications").await;
        let visit = clinic.visit(at(facility, doctor, date, time, None)).await;
        cancel(&clinic, visit, cancelled).await;
        let seen: chrono::DateTime<chrono::Utc> = cancelled.parse().expect("an instant");
        let report = run(&clinic, &(seen + chrono::TimeDelta::seconds(90)).to_rfc3339()).await.report();
        let is_told = u64::from(is_high.is_some());
        let counts = [&report["told"], &report["last_minute"], &report["untold"]["past"]].map(Value::as_u64);
        assert_eq!(counts, [is_told, u64::from(is_high == HIGH), 1 - is_told].map(Some), "{date} {cancelled}");
        let query =
            "SELECT jsonb_agg(jsonb_build_array(priority, title, metadata -> 'isLastMinute')) AS n FROM notifications";
        let expected = match is_high {
            HIGH => json!([["HIGH", "Last-Minute Cancellation", true]]),
            NORMAL => json!([["NORMAL", "Appointment Cancelled", false]]),
            None => Value::Null,
        };
        assert_eq!(clinic.json(query).await["n"], expected, "{date} {cancelled}");
        let expected = if is_high.is_some() { "TOLD" } else { "PAST" };
        assert_eq!(outcomes(&clinic, visit).await, [expected], "{date} {cancelled}");
    }
}

#[tokio::test]
async fn a_run_after_the_visit_tells_nobody() {
    // (slot, slot length, when it is over)
    let cases = [(Some(30), Some(15), "09:30:00"), (None, Some(15), "09:15:00"), (None, None, "09:00:00")];
    for (slot, length, end) in cases {
        let end: chrono::DateTime<chrono::Utc> = format!("2026-03-02T{end}-05:00").parse().expect("an instant");
        for (now, expected) in [(end - chrono::TimeDelta::microseconds(1), "TOLD"), (end, "PAST")] {
            let (clinic, facility, _) = new_york(Kind::Bigint).await;
            let doctor = clinic.doctor(facility, length).await;
            let visit = clinic.visit(at(facility, doctor, DAY, "09:00", slot)).await;
            cancel(&clinic, visit, "2026-03-02T08:00-05").await;
            run(&clinic, &now.to_rfc3339()).await;
            assert_eq!(outcomes(&clinic, visit).await, [expected], "{slot:?} {length:?} {now}");
            assert_eq!(told(&clinic).await.as_array().map(Vec::len), Some(usize::from(expected == "TOLD")));
            // The slot is released in every case.
            let booked = clinic.count("SELECT count(*) FROM doctor_slots WHERE is_booked").await;
            assert_eq!(booked, 0, "{slot:?} {now}");
            if expected == "TOLD" {
                let ends: chrono::DateTime<chrono::Utc> =
                    clinic.row("SELECT expires_at FROM notifications", &[]).await.get(0);
                assert_eq!(ends, end, "{slot:?} {length:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_slot_that_was_booked_again_stays_booked() {
    for kind in Kind::ALL {
        let (clinic, facility, doctor) = new_york(kind).await;
        let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
        let other = clinic.scheduled(facility, doctor, DAY, "09:00").await;
        cancel(&clinic, visit, AT_0730).await;
        clinic.sql(&format!("UPDATE doctor_slots SET appointment_id = k({other})")).await;
        let report = run(&clinic, AT_0730).await.report();
        assert_eq!((&report["told"], &report["slots_released"]), (&json!(1), &json!(0)), "{kind:?}");
        let slot = clinic.json("SELECT is_booked, n(appointment_id) AS visit FROM doctor_slots").await;
        assert_eq!(slot, json!({"is_booked": true, "visit": other}), "{kind:?}");
    }
}

#[tokio::test]
async fn a_slot_under_leave_is_freed_and_blocked() {
    // (first day, last day, their times, status, is the slot blocked?): it is from 09:00 to 09:30 of March 2.
    let cases = [
        ("'2026-03-02', '2026-03-02', NULL, NULL", "ACTIVE", true),
        ("'2026-03-02', '2026-03-02', NULL, NULL", "CANCELLED", false),
        ("'2026-02-20', '2026-03-01', NULL, NULL", "ACTIVE", false),
        ("'2026-03-02', '2026-03-02', '09:29', '12:00'", "ACTIVE", true),
        ("'2026-03-02', '2026-03-02', '09:30', '12:00'", "ACTIVE", false),
        ("'2026-03-01', '2026-03-02', '22:00', '09:01'", "ACTIVE", true),
        ("'2026-03-01', '2026-03-02', '22:00', '09:00'", "ACTIVE", false),
    ];
    for kind in [Kind::Bigint, Kind::TextViews] {
        for (absence, status, is_blocked) in cases {
            let (clinic, facility, doctor) = new_york(kind).await;
            let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(30))).await;
            cancel(&clinic, visit, AT_0730).await;
            clinic
                .sql(&format!(
                    "INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time, status)
                     VALUES (k({doctor}), {absence}, '{status}')"
                ))
                .await;
            let report = run(&clinic, AT_0730).await.report();
            let counts = (&report["slots_released"], &report["slots_blocked"]);
            assert_eq!(counts, (&json!(1), &json!(u64::from(is_blocked))), "{kind:?} {absence}");
            let slot = clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
            let expected = json!({"is_booked": false, "is_blocked": is_blocked, "appointment_id": null});
            assert_eq!(slot, expected, "{kind:?} {absence}");
        }
    }
}

#[tokio::test]
async fn where_the_doctor_cannot_be_told_the_receptionists_are() {
    // (what becomes of the doctor's login, the visit's day, is the doctor told?)
    let cases = [
        ("SELECT", "2026-03-09", true),
        ("UPDATE doctors SET user_id = NULL", "2026-03-09", false),
        ("UPDATE users SET active = false WHERE role = 'DOCTOR'", "2026-03-09", false),
        // Who wants to be told nowhere is not there; of a last-minute cancellation everybody is told.
        ("INSERT INTO notification_preferences SELECT user_id, false, false FROM doctors", "2026-03-09", false),
        ("INSERT INTO notification_preferences SELECT user_id, false, false FROM doctors", "2026-03-02", true),
        // An e-mail, but no address.
        ("INSERT INTO notification_preferences SELECT user_id, false, true FROM doctors", "2026-03-09", false),
    ];
    for kind in [Kind::Bigint, Kind::TextViews] {
        for (change, date, is_doctor_told) in cases {
            let (clinic, facility, doctor) = new_york(kind).await;
            let elsewhere = clinic.facility("America/Denver", None).await;
            let user: i64 = clinic.row("SELECT n(user_id) FROM doctors", &[]).await.get(0);
            let desk = [clinic.user(facility, "RECEPTIONIST").await, clinic.user(facility, "RECEPTIONIST").await];
            for (place, role) in [(elsewhere, "RECEPTIONIST"), (facility, "NURSE"), (facility, "HOSPITAL_ADMIN")] {
                clinic.user(place, role).await;
            }
            let gone = clinic.user(facility, "RECEPTIONIST").await;
            clinic.sql(&format!("UPDATE users SET active = false WHERE id = k({gone}); {change}")).await;
            let visit = clinic.visit(at(facility, doctor, date, "09:00", None)).await;
            cancel(&clinic, visit, AT_0730).await;
            let report = run(&clinic, AT_0730).await.report();
            let counts = ["told", "told_stand_ins"].map(|key| report[key].as_u64().expect("a count"));
            assert_eq!(counts, [u64::from(is_doctor_told), u64::from(!is_doctor_told)], "{kind:?} {change} {date}");
            let priority = if date == DAY { "HIGH" } else { "NORMAL" };
            let expected = match is_doctor_told {
                true => json!([[user, priority, "IN_APP"]]),
                false => json!([[desk[0], priority, "IN_APP"], [desk[1], priority, "IN_APP"]]),
            };
            assert_eq!(told(&clinic).await, expected, "{kind:?} {change} {date}");
            let body = clinic.json("SELECT min(body) AS body FROM notifications").await["body"].to_string();
            assert_eq!(body.contains("with Dr. Stone"), !is_doctor_told, "the desk is told whose visit it was: {body}");
        }
    }
}

#[tokio::test]
async fn who_cancelled_decides_whether_the_doctor_is_told() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    let user: i64 = clinic.row("SELECT user_id FROM doctors", &[]).await.get(0);
    let desk = clinic.user(facility, "RECEPTIONIST").await;
    for (by, expected) in [("NULL".to_owned(), "TOLD"), (desk.to_string(), "TOLD"), (user.to_string(), "BY_DOCTOR")] {
        clinic.sql("DELETE FROM notifications; DELETE FROM doctor_slots").await;
        let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
        cancel(&clinic, visit, AT_0730).await;
        clinic.sql(&format!("UPDATE appointments SET cancelled_by = {by} WHERE id = {visit}")).await;
        let report = run(&clinic, AT_0730).await.report();
        assert_eq!(outcomes(&clinic, visit).await, [expected], "{by}");
        assert_eq!(report["slots_released"], 1, "{by}");
        let is_told = expected == "TOLD";
        assert_eq!(report["untold"]["by_doctor"], json!(u64::from(!is_told)), "{by}");
        assert_eq!(told(&clinic).await.as_array().map(Vec::len), Some(usize::from(is_told)), "{by}");
    }
}

#[tokio::test]
async fn only_cancelled_local_visits_of_the_window_are_looked_at() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    for status in ["SCHEDULED", "CONFIRMED", "CHECKED_IN", "IN_PROGRESS", "COMPLETED", "NO_SHOW"] {
        let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T08:55-05");
        clinic.visit(Visit { status, checked_in, ..at(facility, doctor, DAY, "09:00", None) }).await;
    }
    let foreign = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
    clinic.sql(&format!("UPDATE appointments SET source = 'PRACTICEQ', external_id = 'x' WHERE id = {foreign}")).await;
    let old = clinic.visit(at(facility, doctor, "2026-02-22", "09:00", None)).await;
    let last = clinic.visit(at(facility, doctor, "2026-02-23", "09:00", None)).await;
    let far = clinic.visit(at(facility, doctor, "2031-03-02", "09:00", None)).await;
    for visit in [foreign, old, last, far] {
        cancel(&clinic, visit, "2026-02-22T08:00-05").await;
    }
    let report = run(&clinic, AT_0730).await.report();
    assert_eq!([&report["scanned"], &report["told"], &report["untold"]["past"]], [2, 1, 1]);
    for (visit, expected) in [(foreign, &[][..]), (old, &[]), (last, &["PAST"]), (far, &["TOLD"])] {
        assert_eq!(outcomes(&clinic, visit).await, expected, "{visit}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM doctor_slots WHERE is_booked").await, 1, "that of the account");
}

#[tokio::test]
async fn the_mail_names_nobody() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    clinic.sql("UPDATE users SET email = 'd@example.org'; INSERT INTO notification_preferences SELECT id, true, true FROM users").await;
    for date in [DAY, "2026-03-09"] {
        let visit = clinic.visit(at(facility, doctor, date, "09:00", None)).await;
        cancel(&clinic, visit, AT_0730).await;
    }
    clinic
        .sql("UPDATE patients SET first_name = 'CANARY', last_name = 'CANARY'; UPDATE doctors SET last_name = 'CANARY'")
        .await;
    run(&clinic, AT_0730).await;
    assert_eq!(read_as_staged(&clinic).await, 2);
    let mails =
        "SELECT jsonb_agg(jsonb_build_array(title, body) ORDER BY id) AS n FROM notifications WHERE channel = 'EMAIL'";
    let expected = json!([
        ["Last-Minute Cancellation", "A patient cancelled their 09:00 appointment on Mar 2"],
        ["Appointment Cancelled", "A patient cancelled their 09:00 appointment on Mar 9"],
    ]);
    assert_eq!(clinic.json(mails).await["n"], expected);
    let rows = clinic.json("SELECT jsonb_agg(to_jsonb(n)) AS n FROM notifications n WHERE channel = 'EMAIL'").await;
    assert!(!rows.to_string().contains("CANARY"), "{rows}");
}

#[tokio::test]
async fn rows_that_cannot_be_judged_are_named_and_stop_nobody() {
    let (clinic, facility, doctor) = new_york(Kind::TextViews).await;
    let visits = [
        clinic.visit(at(facility, doctor, DAY, "09:00", None)).await,
        clinic.visit(at(facility, doctor, DAY, "10:00", None)).await,
    ];
    clinic.sql("ALTER TABLE app.facilities DROP CONSTRAINT facilities_time_zone_known").await;
    let lost = clinic.facility("Mars/Olympus_Mons", None).await;
    let stranded = clinic.doctor(lost, Some(15)).await;
    let stranded = clinic.visit(at(lost, stranded, DAY, "09:00", None)).await;
    for visit in [visits[0], visits[1], stranded] {
        cancel(&clinic, visit, AT_0730).await;
    }
    clinic.sql(&format!("UPDATE appointments SET start_time = '9h' WHERE id = k({})", visits[0])).await;
    let outcome = run(&clinic, AT_0730).await;
    assert_eq!(["scanned", "handled", "failed"].map(|key| outcome.count(key)), [3, 1, 2]);
    let errors = json!([
        {"entity": "facility", "id": clinic.kind.text(lost), "code": "UNKNOWN_TIME_ZONE"},
        {"entity": "appointment", "id": clinic.kind.text(visits[0]), "code": "UNREADABLE_TIME"},
    ]);
    assert_eq!(outcome.report()["errors"], errors);
    assert_eq!(outcomes(&clinic, visits[1]).await, ["TOLD"]);
}

#[tokio::test]
async fn a_slot_that_the_application_holds_leaves_its_visit_to_the_next_run() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
    cancel(&clinic, visit, AT_0730).await;
    clinic.sql("BEGIN; SELECT FROM doctor_slots FOR NO KEY UPDATE").await;
    let outcome = run(&clinic, AT_0730).await;
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    clinic.sql("COMMIT").await;
    assert_eq!(run(&clinic, AT_0730).await.count("told"), 1);
}

#[tokio::test]
async fn why_a_doctor_was_told_or_not_is_said() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
    let explain = async |at: &str| {
        let id = visit.to_string();
        let outcome = clinic.run(&["notify-cancellations", "--as-of", at, "--explain", &id]).await.expect(0);
        outcome.report()
    };
    let scheduled = explain(AT_0730).await;
    assert_eq!((&scheduled["due"], &scheduled["verdicts"][0]["reasons"]), (&json!(false), &json!(["it is SCHEDULED"])));
    cancel(&clinic, visit, AT_0730).await;
    let cancelled = explain(AT_0730).await;
    assert_eq!(cancelled["due"], true, "{cancelled}");
    let text = cancelled.to_string();
    assert!(text.contains("tell its doctor at once, and release its slot"), "{text}");
    assert!(text.contains("it was cancelled 90 min before its start"), "{text}");
    run(&clinic, AT_0730).await;
    let done = explain(AT_0730).await;
    let reasons = json!(["its cancellation is recorded (TOLD), and no slot has it"]);
    assert_eq!((&done["due"], &done["verdicts"][0]["reasons"]), (&json!(false), &reasons), "{done}");
    assert!(done["explanation"].to_string().contains("its doctor was told (TOLD)"), "{done}");
    assert_eq!(done["history"][0]["outcome"], "TOLD", "{done}");
    book_again(&clinic, visit).await;
    let again = explain(AT_0730).await;
    assert!(again.to_string().contains("it is cancelled no more"), "{again}");
    let args = ["notify-cancellations", "--as-of", AT_0730, "--dry-run", "--list"];
    let list = clinic.run(&args).await.expect(0).report()["list"].clone();
    assert_eq!((&list[0]["entity"], &list[1]), (&json!("visit_cancellation"), &Value::Null), "{list}");
}
