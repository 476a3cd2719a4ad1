//! Hours that change from run to run, and what becomes of the flags.

use serde_json::json;

use super::{AS_OF, CHANGED, DAY, MADE, changed_hours, flag, hours, made, open, told};
use crate::support::keys::Kind;
use crate::support::{Clinic, gate, program};

const LATER: &str = "2026-03-01T12:15:00-05:00";
const LAST: &str = "2026-03-01T12:30:00-05:00";
/// The hours of a time at which the first run had looked.
const WIDE: (&str, &str) = ("08:00", "18:00");

/// A clinic with a visit at 09:00 that fits, and has been looked at.
async fn looked_at(kind: Kind) -> (Clinic, i64, i64) {
    let clinic = Clinic::of(kind).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.user(facility, "HOSPITAL_ADMIN").await;
    clinic.scheduled(facility, doctor, DAY, "09:00").await;
    made(&clinic, MADE).await;
    changed_hours(&clinic, doctor, 1, WIDE, None, CHANGED).await;
    assert_eq!(flag(&clinic, AS_OF).await.expect(0).count("scanned"), 0);
    (clinic, facility, doctor)
}

/// Sets the beginning of all hours, as an application does that updates its row.
async fn begin(clinic: &Clinic, from: &str, at: &str) {
    clinic.sql(&format!("UPDATE doctor_schedules SET start_time = '{from}', updated_at = '{at}'")).await;
}

#[tokio::test]
async fn a_change_is_told_once_and_the_next_change_again() {
    for kind in Kind::ALL {
        let (clinic, ..) = looked_at(kind).await;
        begin(&clinic, "10:00", "2026-03-01 17:05+00").await;
        let report = flag(&clinic, LATER).await.expect(0).report();
        assert_eq!([&report["flagged"], &report["schedules_changed"]], [&json!(1), &json!(1)], "{kind:?}");
        assert_eq!(flag(&clinic, LATER).await.expect(0).count("scanned"), 0);
        // Other hours that it does not fit either.
        begin(&clinic, "11:00", "2026-03-01 17:20+00").await;
        flag(&clinic, LAST).await.expect(0);
        assert_eq!((told(&clinic).await, open(&clinic).await), (vec![1, 1], vec![1]), "{kind:?}");
        let cleared = "SELECT cleared_by AS by FROM schedule_flags WHERE cleared_at IS NOT NULL";
        assert_eq!(clinic.json(cleared).await["by"], "CHANGED_AGAIN");
        // It fits again: its flag is cleared, and nobody is told of that.
        begin(&clinic, "09:00", "2026-03-01 17:35+00").await;
        let report = flag(&clinic, "2026-03-01T12:45:00-05:00").await.expect(0).report();
        assert_eq!([&report["flagged"], &report["cleared"]], [&json!(0), &json!(1)], "{kind:?} {report}");
        assert!(open(&clinic).await.is_empty());
        // The same hours as before, by another change.
        begin(&clinic, "11:00", "2026-03-01 17:50+00").await;
        flag(&clinic, "2026-03-01T13:00:00-05:00").await.expect(0);
        assert_eq!((told(&clinic).await, open(&clinic).await), (vec![1, 1, 1], vec![1]), "{kind:?}");
    }
}

#[tokio::test]
async fn rows_that_are_made_anew_and_a_change_that_is_taken_back_change_nothing() {
    let (clinic, _, doctor) = looked_at(Kind::Bigint).await;
    // Made after the change, outside of the hours: whoever made it knew.
    clinic.scheduled(1, doctor, DAY, "07:00").await;
    clinic.sql("UPDATE appointments SET created_at = '2026-02-25' WHERE id = 2").await;
    let anew = "DELETE FROM doctor_schedules;
                INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, created_at, updated_at)
                SELECT 1, 1, '08:00', '18:00', '2026-03-01 17:05+00', '2026-03-01 17:05+00' FROM generate_series(1, 2)";
    clinic.sql(anew).await;
    let report = flag(&clinic, LATER).await.expect(0).report();
    let counts = ["scanned", "schedules_changed", "made_after_change"].map(|key| report[key].as_u64());
    assert_eq!(counts, [Some(0), Some(0), Some(1)], "{report}");
    begin(&clinic, "10:00", "2026-03-01 17:20+00").await;
    begin(&clinic, "08:00", "2026-03-01 17:25+00").await;
    let report = flag(&clinic, LAST).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["schedules_changed"]), (&json!(0), &json!(0)));
    assert!(told(&clinic).await.is_empty());
}

#[tokio::test]
async fn a_change_is_dated_by_the_clinic_if_it_says_so_and_else_by_the_run_that_sees_it() {
    // (what happens at 17:10, when a second visit is made, whether its patient is told)
    let update = "UPDATE doctor_schedules SET start_time = '10:00', updated_at = '2026-03-01 17:10+00'
                  WHERE start_time = '08:00'";
    let silent = "UPDATE doctor_schedules SET start_time = '10:00' WHERE start_time = '08:00'";
    let undated = "UPDATE doctor_schedules SET start_time = '10:00', created_at = 'infinity', updated_at = 'infinity'
                   WHERE start_time = '08:00'";
    let delete = "DELETE FROM doctor_schedules WHERE start_time = '08:00'";
    let all = "DELETE FROM doctor_schedules";
    let off = "UPDATE doctor_schedules SET active = false, updated_at = '2026-03-01 17:10+00'
               WHERE start_time = '08:00'";
    let ahead = "UPDATE doctor_schedules SET start_time = '10:00', updated_at = '2026-03-01 18:00+00'
                 WHERE start_time = '08:00'";
    let cases = [
        (update, "2026-03-01 17:10+00", true),
        (update, "2026-03-01 17:10:01+00", false),
        (off, "2026-03-01 17:10:01+00", false),
        (silent, "2026-03-01 17:14+00", true),
        (undated, "2026-03-01 17:14+00", true),
        // The row that is left says nothing of the one that is gone.
        (delete, "2026-03-01 17:14+00", true),
        (all, "2026-03-01 17:14+00", true),
        (all, "2026-03-01 17:16+00", false),
        // A clock that is ahead.
        (ahead, "2026-03-01 17:14+00", true),
        (ahead, "2026-03-01 17:16+00", false),
    ];
    for (change, second, is_told) in cases {
        let (clinic, facility, doctor) = looked_at(Kind::Bigint).await;
        hours(&clinic, doctor, 1, "19:00", "20:00").await;
        flag(&clinic, AS_OF).await.expect(0);
        clinic.scheduled(facility, doctor, DAY, "09:15").await;
        clinic.sql(&format!("UPDATE appointments SET created_at = '{second}' WHERE id = 2; {change}")).await;
        let report = flag(&clinic, LATER).await.expect(0).report();
        let expected = if is_told { vec![1, 2] } else { vec![1] };
        assert_eq!(told(&clinic).await, expected, "{change} {second}: {report}");
        assert_eq!(report["made_after_change"], u64::from(!is_told), "{change} {second}");
    }
}

#[tokio::test]
async fn a_touch_that_changes_nothing_dates_no_later_change() {
    let (clinic, facility, doctor) = looked_at(Kind::Bigint).await;
    hours(&clinic, doctor, 1, "19:00", "20:00").await;
    flag(&clinic, AS_OF).await.expect(0);
    clinic.sql("UPDATE doctor_schedules SET updated_at = '2026-03-01 17:05+00'").await;
    flag(&clinic, LATER).await.expect(0);
    clinic.scheduled(facility, doctor, DAY, "09:15").await;
    clinic
        .sql(
            "UPDATE appointments SET created_at = '2026-03-01 17:20+00' WHERE id = 2;
             DELETE FROM doctor_schedules WHERE start_time = '08:00'",
        )
        .await;
    flag(&clinic, LAST).await.expect(0);
    assert_eq!(told(&clinic).await, [1, 2], "the visit was made before the row was deleted");
}

#[tokio::test]
async fn a_day_that_is_not_available_any_more_is_a_change() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let (clinic, facility, doctor) = looked_at(kind).await;
        let tuesday = clinic.scheduled(facility, doctor, "2026-03-03", "09:00").await;
        made(&clinic, MADE).await;
        // Of the Tuesday nobody knows since when it is none.
        assert_eq!(flag(&clinic, AS_OF).await.expect(0).count("undated"), 1);
        // The doctor has no row any more, but had some.
        clinic.sql("DELETE FROM doctor_schedules").await;
        let report = flag(&clinic, LATER).await.expect(0).report();
        assert_eq!([&report["flagged"], &report["undated"]], [&json!(1), &json!(1)], "{kind:?} {report}");
        assert_eq!(report["without_schedule"], 0);
        // The Tuesday becomes one, and then none again.
        changed_hours(&clinic, doctor, 2, WIDE, None, "2026-03-01 17:20+00").await;
        flag(&clinic, LAST).await.expect(0);
        clinic.sql("DELETE FROM doctor_schedules").await;
        flag(&clinic, "2026-03-01T12:45:00-05:00").await.expect(0);
        assert_eq!(told(&clinic).await, [1, tuesday], "{kind:?}");
    }
}

#[tokio::test]
async fn a_flag_is_cleared_when_its_visit_is_not_to_be_looked_at_any_more() {
    let cases = [
        ("UPDATE appointments SET status = 'CANCELLED', cancelled_at = now()", LATER, "NOT_AWAITED"),
        ("UPDATE appointments SET start_time = '09:30'", LATER, "MOVED"),
        ("UPDATE appointments SET appointment_date = '2026-03-09'", LATER, "MOVED"),
        ("DELETE FROM appointments", LATER, "GONE"),
        ("SELECT 1", "2026-03-02T09:00:00-05:00", "OVER"),
        ("SELECT 1", "2026-03-05T09:00:00-05:00", "OVER"),
    ];
    for (kind, (what, at, by)) in Kind::ALL.into_iter().cycle().zip(cases.into_iter().chain(cases)) {
        let (clinic, ..) = looked_at(kind).await;
        begin(&clinic, "10:00", "2026-03-01 17:05+00").await;
        flag(&clinic, LATER).await.expect(0);
        assert_eq!(open(&clinic).await, [1]);
        assert_eq!(flag(&clinic, LATER).await.expect(0).count("scanned"), 0, "it holds: {what}");
        clinic.sql(what).await;
        let outcome = flag(&clinic, at).await.expect(0);
        // A visit that was moved to a time that does not fit either is not told of again.
        assert_eq!((outcome.count("cleared"), outcome.count("flagged")), (1, 0), "{kind:?} {what}");
        assert_eq!(clinic.json("SELECT cleared_by AS by FROM schedule_flags").await["by"], by, "{kind:?} {what}");
        assert_eq!(flag(&clinic, at).await.expect(0).count("scanned"), 0, "{what}");
    }
}

#[tokio::test]
async fn hours_that_change_at_the_same_moment_are_left_to_the_next_run() {
    let (clinic, facility, doctor) = looked_at(Kind::Bigint).await;
    clinic.scheduled(facility, doctor, DAY, "09:15").await;
    made(&clinic, MADE).await;
    begin(&clinic, "10:00", "2026-03-01 17:05+00").await;
    gate::build_before(&clinic, "schedule_flags").await;
    gate::close(&clinic, 1).await;
    let run = clinic.program.start(&["flag-schedule-conflicts", "--as-of", LATER, "--batch-rows", "1"]);
    gate::reached(&clinic).await;
    begin(&clinic, "11:00", "2026-03-01 17:10+00").await;
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}));
    assert_eq!(told(&clinic).await, [1]);
    flag(&clinic, LAST).await.expect(0);
    assert_eq!(told(&clinic).await, [1, 1, 2], "each change once");
}

#[tokio::test]
async fn a_message_of_a_cleared_flag_is_not_sent() {
    let (clinic, facility, doctor) = looked_at(Kind::Bigint).await;
    clinic.scheduled(facility, doctor, DAY, "08:00").await;
    made(&clinic, MADE).await;
    begin(&clinic, "10:00", "2026-03-01 17:05+00").await;
    flag(&clinic, LATER).await.expect(0);
    // The first visit fits again, the second does not.
    begin(&clinic, "09:00", "2026-03-01 17:20+00").await;
    flag(&clinic, LAST).await.expect(0);
    // As if they had been staged just now.
    clinic.sql("UPDATE notifications SET created_at = clock_timestamp(), expires_at = NULL").await;
    let program = clinic
        .program
        .clone()
        .env("ROUNDS_TWILIO_URL", "http://127.0.0.1:9/")
        .env("ROUNDS_TWILIO_ACCOUNT", &format!("AC{}", "0".repeat(32)))
        .env("ROUNDS_TWILIO_TOKEN", "t")
        .env("ROUNDS_SMS_FROM", "+15005550006");
    let outcome = program.run(&["deliver-notifications", "--channel", "sms"]).await;
    let moot = "SELECT jsonb_agg(DISTINCT entity_id || COALESCE(reason = 'MOOT', false)) AS m FROM notifications
                WHERE channel = 'SMS'";
    assert_eq!(clinic.json(moot).await["m"], json!(["1true", "2false"]), "{outcome:?}");
}
