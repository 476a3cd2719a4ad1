//! `rounds flag-schedule-conflicts`: its rule at every boundary, whom it tells, and everything a job owes.

mod admins;
mod changes;
mod properties;

use serde_json::{Value, json};

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

/// A Sunday.
const AS_OF: &str = "2026-03-01T12:00:00-05:00";
/// The Monday after it.
const DAY: &str = "2026-03-02";
/// When visits were made, and when hours were changed last, unless a test says otherwise.
const MADE: &str = "2026-02-01 12:00+00";
const CHANGED: &str = "2026-02-20 12:00+00";

const SUBJECT: Subject = Subject {
    job: &["flag-schedule-conflicts", "--as-of", AS_OF],
    table: "appointments",
    written: ("schedule_flags", "appointment_id"),
    evidence: &[
        ("schedule_flags", "appointment_id", 1),
        ("(SELECT * FROM notifications WHERE recipient_kind = 'PATIENT')", "entity_id", 2),
    ],
    entity: "appointment",
    done: "/flagged",
    ..owed::SUBJECT
};

/// Visits at 09:00 of a doctor who comes at 10:00.
struct Conflicts;

impl Conflicts {
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        clinic.many(facility, doctor, things).await;
        made(&clinic, MADE).await;
        hours(&clinic, doctor, 1, "10:00", "17:00").await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

// The list for the admins marks all flags in a transaction of its own, so that the flags do not show in how many they
// were made: `one_more_than_a_batch_takes_two` looks at the notices.
owed::owed_by_the_job! {
    Conflicts:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    what_the_application_holds_is_left_to_the_next_run,
    a_child_row_that_is_being_inserted_is_no_reason_to_skip,
    one_poison_row_stops_nobody,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    a_killed_run_is_completed_by_the_next,
    the_brake_holds_before_anything_is_changed,
    a_role_with_its_grants_alone_does_all,
}

#[tokio::test]
async fn one_more_than_a_batch_takes_two() {
    let owed = Conflicts::owed(Kind::Bigint, 11).await;
    let args = [SUBJECT.job, &["--batch-rows", "10"]].concat();
    assert_eq!(owed.clinic.run(&args).await.expect(0).count("flagged"), 11);
    let transactions =
        "SELECT count(DISTINCT xmin::text) FROM notifications WHERE recipient_kind = 'PATIENT' AND channel = 'SMS'";
    assert_eq!(owed.clinic.count(transactions).await, 2);
    // The admins have one list.
    assert_eq!(owed.clinic.count("SELECT count(*) FROM notifications WHERE recipient_kind = 'USER'").await, 1);
}

/// All visits were made then.
async fn made(clinic: &Clinic, at: &str) {
    clinic.sql(&format!("UPDATE appointments SET created_at = '{at}'")).await;
}

/// Hours of a doctor that were changed last at CHANGED.
async fn hours(clinic: &Clinic, doctor: i64, weekday: i32, from: &str, to: &str) {
    changed_hours(clinic, doctor, weekday, (from, to), None, CHANGED).await;
}

async fn changed_hours(
    clinic: &Clinic,
    doctor: i64,
    weekday: i32,
    (from, to): (&str, &str),
    pause: Option<(&str, &str)>,
    at: &str,
) {
    let pause = pause.map_or("NULL, NULL".to_owned(), |(from, to)| format!("'{from}', '{to}'"));
    clinic
        .sql(&format!(
            "INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, break_start, break_end, created_at,
                                           updated_at)
             VALUES (k({doctor}), {weekday}, '{from}', '{to}', {pause}, '{at}', '{at}')"
        ))
        .await;
}

async fn flag(clinic: &Clinic, at: &str) -> Outcome {
    clinic.run(&["flag-schedule-conflicts", "--as-of", at]).await
}

/// The numbers of the visits whose patients were told, each as often as it was.
async fn told(clinic: &Clinic) -> Vec<i64> {
    let query =
        "SELECT n(entity_id) FROM notifications WHERE type = 'SCHEDULE_CHANGE' AND channel = 'IN_APP' ORDER BY 1";
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

/// The visits with an open flag.
async fn open(clinic: &Clinic) -> Vec<i64> {
    let query = "SELECT n(appointment_id) FROM schedule_flags WHERE cleared_at IS NULL ORDER BY 1";
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn patients_and_admins_are_told_once_in_these_words() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.sql("UPDATE doctors SET last_name = 'Smith'").await;
    let admin = clinic.user(facility, "HOSPITAL_ADMIN").await;
    clinic
        .sql(&format!(
            "UPDATE users SET email = 'a@example.org' WHERE id = {admin};
             INSERT INTO notification_preferences VALUES ({admin}, true, true)"
        ))
        .await;
    clinic.scheduled(facility, doctor, "2026-03-03", "09:00").await;
    clinic.scheduled(facility, doctor, "2026-03-03", "09:15").await;
    clinic.scheduled(facility, doctor, "2026-03-03", "10:00").await;
    made(&clinic, MADE).await;
    hours(&clinic, doctor, 2, "10:00", "17:00").await;
    let before =
        clinic.json("SELECT jsonb_agg(a) AS a, (SELECT jsonb_agg(s) FROM doctor_slots s) AS s FROM appointments a");
    let before = before.await;
    let report = flag(&clinic, AS_OF).await.expect(0).report();
    let warning = json!({
        "message": "2 existing appointments affected",
        "affectedAppointments": [{"id": "1", "date": "2026-03-03", "time": "09:00"},
                                 {"id": "2", "date": "2026-03-03", "time": "09:15"}],
    });
    assert_eq!(report["warning"], warning);
    let counts = ["scanned", "flagged", "cleared", "notifications", "admin_notices", "skipped", "failed"];
    assert_eq!(counts.map(|key| report[key].as_u64().expect("a count")), [2, 2, 0, 4, 2, 0, 0]);
    let notices = "SELECT jsonb_agg(jsonb_build_array(channel, title, body, priority, expires_at) ORDER BY id) AS n
                   FROM notifications WHERE entity = 'appointment' AND entity_id = '1'";
    let (title, expires) = ("Schedule Change Notification", "2026-03-03T14:00:00+00:00");
    let in_app = "Dr. Smith's schedule has changed. Your appointment on Tuesday at 09:00 may be affected. Please contact \
                  the clinic to confirm or reschedule.";
    let sms = "Your appointment may be affected by a schedule change. Please contact us to confirm.";
    let expected = json!([["IN_APP", title, in_app, "NORMAL", expires], ["SMS", title, sms, "NORMAL", expires]]);
    assert_eq!(clinic.json(notices).await["n"], expected);
    let admins =
        "SELECT jsonb_agg(jsonb_build_array(channel, title, body, metadata -> 'warning') ORDER BY channel) AS n
                  FROM notifications WHERE entity = 'facility'";
    let title = "2 existing appointments affected";
    let email = "The schedules of doctors have changed. Visits that no longer fit: 1, 2.";
    let body =
        format!("{title} by a change of schedule: 1 (Tuesday 2026-03-03, 09:00), 2 (Tuesday 2026-03-03, 09:15).");
    let expected = json!([["EMAIL", title, email, warning], ["IN_APP", title, body, warning]]);
    assert_eq!(clinic.json(admins).await["n"], expected);
    assert_eq!(super::messages::read_as_staged(&clinic).await, 3, "as their templates say");
    // No visit and no slot was touched.
    let after =
        clinic.json("SELECT jsonb_agg(a) AS a, (SELECT jsonb_agg(s) FROM doctor_slots s) AS s FROM appointments a");
    assert_eq!(after.await, before);
    let again = flag(&clinic, AS_OF).await.expect(0).report();
    assert_eq!((&again["scanned"], again.get("warning")), (&json!(0), None), "no key where there is none");
    assert_eq!(told(&clinic).await, [1, 2]);
    // One more.
    let late = clinic.scheduled(facility, doctor, "2026-03-10", "09:00").await;
    made(&clinic, MADE).await;
    let one = flag(&clinic, AS_OF).await.expect(0).report();
    let only = json!([{"id": late.to_string(), "date": "2026-03-10", "time": "09:00"}]);
    let expected = json!({"message": "1 existing appointment affected", "affectedAppointments": only});
    assert_eq!(one["warning"], expected);
}

#[tokio::test]
async fn a_visit_fits_if_the_whole_of_it_lies_in_one_of_the_hours_and_not_in_the_break() {
    type Hours<'a> = (i32, &'a str, &'a str, Option<(&'a str, &'a str)>);
    const LUNCH: Option<(&str, &str)> = Some(("12:00", "13:00"));
    let day: &[Hours] = &[(1, "09:00", "17:00", LUNCH)];
    let split: &[Hours] = &[(1, "09:00", "12:00", None), (1, "13:00", "17:00", None)];
    let late: &[Hours] = &[(1, "20:00", "24:00", None), (2, "00:00", "08:00", None)];
    // (hours, time, minutes of the slot or none: 30 by the doctor, whether it fits)
    let cases: &[(&[Hours], &str, Option<i32>, bool)] = &[
        (day, "09:00", None, true),
        (day, "08:59", None, false),
        (day, "16:30", None, true),
        (day, "16:31", None, false),
        (day, "16:31", Some(29), true),
        (day, "16:30", Some(31), false),
        (day, "17:00", None, false),
        (day, "11:30", None, true),
        (day, "11:31", None, false),
        (day, "12:59", None, false),
        (day, "13:00", None, true),
        (day, "11:30", Some(120), false),
        (split, "11:30", None, true),
        (split, "11:45", None, false),
        (split, "13:00", Some(240), true),
        (split, "12:15", None, false),
        (late, "23:30", None, true),
        (late, "23:31", None, false),
        (&[(2, "00:00", "24:00", None)], "09:00", None, false),
        (&[(1, "00:00", "24:00", None)], "23:30", None, true),
    ];
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", None).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        let mut expected = vec![];
        for (hours, time, slot, fits) in cases {
            let doctor = clinic.doctor(facility, Some(30)).await;
            let (date, status) = (DAY, "CONFIRMED");
            let visit = Visit { facility, doctor, date, time, status, checked_in: None, vitals: None, slot: *slot };
            let visit = clinic.visit(visit).await;
            for (weekday, from, to, pause) in *hours {
                changed_hours(&clinic, doctor, *weekday, (from, to), *pause, CHANGED).await;
            }
            // So that a day without hours is not one that nobody can date.
            let off = "INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, active, created_at, updated_at)";
            clinic
                .sql(&format!("{off} VALUES (k({doctor}), 1, '01:00', '02:00', false, '{CHANGED}', '{CHANGED}')"))
                .await;
            if !fits {
                expected.push(visit);
            }
        }
        made(&clinic, MADE).await;
        flag(&clinic, AS_OF).await.expect(0);
        assert_eq!(told(&clinic).await, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn only_awaited_local_visits_to_come_are_looked_at() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    hours(&clinic, doctor, 1, "20:00", "21:00").await;
    let at = async |time: &'static str, status: &'static str| {
        let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T08:55-05");
        clinic.visit(Visit { facility, doctor, date: DAY, time, status, checked_in, vitals: None, slot: None }).await
    };
    let now = "2026-03-02T09:00:00-05:00";
    for time in ["08:59", "09:00"] {
        at(time, "SCHEDULED").await;
    }
    let expected = [at("09:01", "SCHEDULED").await, at("18:00", "CONFIRMED").await];
    for status in ["CHECKED_IN", "IN_PROGRESS", "COMPLETED", "NO_SHOW"] {
        at("18:00", status).await;
    }
    let cancelled = at("18:00", "SCHEDULED").await;
    let foreign = at("18:00", "SCHEDULED").await;
    clinic
        .sql(&format!(
            "UPDATE appointments SET status = 'CANCELLED', cancelled_at = created_at WHERE id = {cancelled};
             UPDATE appointments SET source = 'PRACTICEQ', external_id = 'x' WHERE id = {foreign}"
        ))
        .await;
    made(&clinic, MADE).await;
    let outcome = flag(&clinic, now).await.expect(0);
    assert_eq!((outcome.count("scanned"), told(&clinic).await), (2, expected.to_vec()));
    // A facility's day of the week is its own: there it is Tuesday already.
    let far = clinic.facility("Pacific/Kiritimati", None).await;
    clinic.user(far, "HOSPITAL_ADMIN").await;
    let doctor = clinic.doctor(far, Some(15)).await;
    hours(&clinic, doctor, 1, "00:00", "24:00").await;
    changed_hours(&clinic, doctor, 2, ("10:00", "11:00"), None, CHANGED).await;
    let monday = clinic.scheduled(far, doctor, "2026-03-02", "09:00").await;
    let tuesday = clinic.scheduled(far, doctor, "2026-03-03", "09:00").await;
    made(&clinic, MADE).await;
    flag(&clinic, "2026-03-01T12:00:00Z").await.expect(0);
    let all = told(&clinic).await;
    assert!(all.contains(&tuesday) && !all.contains(&monday), "{all:?}");
}

#[tokio::test]
async fn a_leave_is_told_by_others() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    hours(&clinic, doctor, 1, "10:00", "17:00").await;
    clinic.scheduled(facility, doctor, DAY, "08:00").await;
    clinic.scheduled(facility, doctor, DAY, "09:00").await;
    made(&clinic, MADE).await;
    let leave = "INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time) VALUES";
    clinic.sql(&format!("{leave} ({doctor}, '{DAY}', '{DAY}', '09:00', '12:00')")).await;
    assert_eq!(flag(&clinic, AS_OF).await.expect(0).count("scanned"), 1);
    assert_eq!(told(&clinic).await, [1]);
    clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
    flag(&clinic, AS_OF).await.expect(0);
    assert_eq!(told(&clinic).await, [1, 2]);
}

#[tokio::test]
async fn rows_that_cannot_be_judged_are_named_and_stop_nobody() {
    let clinic = Clinic::of(Kind::TextViews).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let due = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let unreadable = clinic.scheduled(facility, doctor, DAY, "11:00").await;
    hours(&clinic, doctor, 1, "10:00", "17:00").await;
    // Without a slot length: one fits for what is known, one does not whatever its end is, one has a slot.
    let unset = clinic.doctor(facility, None).await;
    hours(&clinic, unset, 1, "10:00", "17:00").await;
    clinic.scheduled(facility, unset, DAY, "11:00").await;
    let early = clinic.scheduled(facility, unset, DAY, "09:00").await;
    let (date, time, status, slot) = (DAY, "12:00", "SCHEDULED", Some(15));
    clinic.visit(Visit { facility, doctor: unset, date, time, status, checked_in: None, vitals: None, slot }).await;
    let odd = clinic.doctor(facility, Some(15)).await;
    hours(&clinic, odd, 1, "10:00", "17:00").await;
    clinic.scheduled(facility, odd, DAY, "09:00").await;
    made(&clinic, MADE).await;
    clinic.sql(&format!("UPDATE appointments SET start_time = '9h' WHERE id = k({unreadable})")).await;
    clinic.sql("ALTER TABLE app.doctor_schedules DROP CONSTRAINT doctor_schedules_weekday_check").await;
    let mut rows = 3;
    for wrong in ["'nine', '17:00', NULL, NULL", "'17:00', '09:00', NULL, NULL", "'09:00', '17:00', '12:00', '12:00'"] {
        let columns = "doctor_id, weekday, start_time, end_time, break_start, break_end, active";
        for active in [true, false] {
            for checks in ["start_time", "break_start"] {
                let find = format!(
                    "SELECT conname FROM pg_constraint WHERE conrelid = 'app.doctor_schedules'::regclass
                     AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%{checks}%'"
                );
                for row in clinic.rows(&find).await {
                    let name: String = row.get(0);
                    clinic.sql(&format!("ALTER TABLE app.doctor_schedules DROP CONSTRAINT \"{name}\"")).await;
                }
            }
            let insert = format!("INSERT INTO doctor_schedules ({columns}) VALUES (k({odd}), 1, {wrong}, {active})");
            clinic.sql(&insert).await;
        }
        rows += 1;
    }
    clinic
        .sql(&format!("UPDATE doctor_schedules SET weekday = 8 WHERE doctor_id = k({odd}) AND start_time = '17:00'"))
        .await;
    assert_eq!(rows, 6);
    let dry = clinic.run(&["flag-schedule-conflicts", "--as-of", AS_OF, "--dry-run"]).await.expect(3);
    let outcome = flag(&clinic, AS_OF).await.expect(3);
    for outcome in [&dry, &outcome] {
        let counts = ["scanned", "flagged", "failed"].map(|key| outcome.count(key));
        assert_eq!(counts, [7, 2, 5], "{outcome:?}");
        let codes = outcome.report()["errors"].clone();
        let codes: Vec<String> = codes
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| {
                format!("{} {}", error["entity"].as_str().expect("a name"), error["code"].as_str().expect("a code"))
            })
            .collect();
        let schedule = "doctor_schedule UNREADABLE_SCHEDULE";
        let expected = [schedule, schedule, schedule, "doctor NO_SLOT_LENGTH", "appointment UNREADABLE_TIME"];
        assert_eq!(codes, expected);
        assert!(!outcome.stderr.contains("nine") && !outcome.stderr.contains("9h"), "{}", outcome.stderr);
    }
    assert_eq!(told(&clinic).await, [due, early]);
    // The rows are mended: their doctor is judged.
    clinic.sql(&format!("DELETE FROM doctor_schedules WHERE doctor_id = k({odd}) AND created_at > '{CHANGED}'")).await;
    assert_eq!(flag(&clinic, AS_OF).await.expect(3).count("flagged"), 1);
}

#[tokio::test]
async fn a_visit_is_explained_with_its_reasons_and_its_flags() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let free = clinic.doctor(facility, Some(15)).await;
    hours(&clinic, doctor, 1, "10:00", "17:00").await;
    let visits = [
        (clinic.scheduled(facility, doctor, DAY, "09:00").await, ""),
        (clinic.scheduled(facility, doctor, DAY, "10:00").await, "it fits the hours of its doctor"),
        (clinic.scheduled(facility, free, DAY, "10:00").await, "its doctor never had hours"),
        (clinic.scheduled(facility, doctor, "2026-03-03", "10:00").await, "when its doctor's hours were seen first"),
        (clinic.scheduled(facility, doctor, "2026-02-23", "09:00").await, "it has begun"),
        (clinic.scheduled(facility, doctor, DAY, "09:30").await, "it was made after the hours were changed at"),
    ];
    made(&clinic, MADE).await;
    clinic.sql("UPDATE appointments SET created_at = '2026-02-21' WHERE id = 6").await;
    let explain = async |id: i64| {
        let args = ["flag-schedule-conflicts", "--as-of", AS_OF, "--explain", &id.to_string()];
        clinic.run(&args).await.expect(0).report()
    };
    for (id, reason) in visits {
        let report = explain(id).await;
        let text = report["explanation"].as_str().expect("a text");
        assert_eq!(report["due"], json!(reason.is_empty()), "{report}");
        assert!(text.contains(reason), "{reason}: {text}");
    }
    let list =
        clinic.run(&["flag-schedule-conflicts", "--as-of", AS_OF, "--dry-run", "--list"]).await.expect(0).report();
    assert_eq!(list["list"][0]["id"], "1");
    assert_eq!(list["list"][0]["why"], "it does not fit the hours of its doctor since 2026-02-20 07:00 EST");
    flag(&clinic, AS_OF).await.expect(0);
    clinic.sql("UPDATE appointments SET status = 'CANCELLED', cancelled_at = now() WHERE id = 1").await;
    let list =
        clinic.run(&["flag-schedule-conflicts", "--as-of", AS_OF, "--dry-run", "--list"]).await.expect(0).report();
    assert_eq!(list["list"][0]["entity"], "schedule_flag", "{list}");
    assert_eq!(list["list"][0]["why"], "the visit is no longer SCHEDULED or CONFIRMED");
    flag(&clinic, AS_OF).await.expect(0);
    let report = explain(1).await;
    assert_eq!(report["history"][0]["cleared_by"], "NOT_AWAITED", "{report}");
    let text = report["explanation"].as_str().expect("a text");
    assert!(text.contains("It was flagged at 2026-03-01 12:00 EST") && text.contains("was cleared at"), "{text}");
}

#[tokio::test]
async fn what_is_only_counted_is_said_and_told_to_no_patient() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    let free = clinic.doctor(facility, Some(15)).await;
    hours(&clinic, doctor, 1, "10:00", "17:00").await;
    clinic.scheduled(facility, free, DAY, "10:00").await;
    clinic.scheduled(facility, doctor, "2026-03-03", "10:00").await;
    let after = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    made(&clinic, MADE).await;
    clinic
        .sql(&format!("UPDATE appointments SET created_at = '2026-02-20 12:00:00.000001+00' WHERE id = {after}"))
        .await;
    for _ in 0..2 {
        let report = flag(&clinic, AS_OF).await.expect(0).report();
        let counts = ["scanned", "made_after_change", "without_schedule", "undated"].map(|key| report[key].clone());
        assert_eq!(counts, [0, 1, 1, 1].map(Value::from), "{report}");
        assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 0);
    }
    // One that was made at the instant of the change is older than it. The admins' notice has the counts, too.
    clinic.sql(&format!("UPDATE appointments SET created_at = '{CHANGED}' WHERE id = {after}")).await;
    flag(&clinic, AS_OF).await.expect(0);
    assert_eq!(told(&clinic).await, [after]);
    let counts = clinic.json("SELECT metadata -> 'not_told' AS c FROM notifications WHERE entity = 'facility'").await;
    assert_eq!(counts["c"], json!({"made_after_change": 0, "without_schedule": 1, "undated": 1}));
}
