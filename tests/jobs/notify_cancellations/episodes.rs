//! A visit that is cancelled, booked again and cancelled again: each cancellation is told once.

use serde_json::{Value, json};

use super::{AT_0730, DAY, at, book_again, cancel, cancel_without_time, new_york, outcomes, run, told};
use crate::support::Clinic;
use crate::support::keys::Kind;

/// How many notices there are, and how often each key is there.
async fn notices(clinic: &Clinic) -> Value {
    let query = "SELECT count(*) AS rows, count(DISTINCT dedupe_key) AS keys FROM notifications";
    clinic.json(query).await
}

#[tokio::test]
async fn each_cancellation_is_told_where_a_run_saw_the_visit_booked_between() {
    for kind in Kind::ALL {
        for has_time in [true, false] {
            let (clinic, facility, doctor) = new_york(kind).await;
            let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
            for (round, minute) in [10, 20, 30].into_iter().enumerate() {
                let now = format!("2026-03-02T07:{minute}:00-05:00");
                if has_time {
                    cancel(&clinic, visit, &now).await;
                } else {
                    cancel_without_time(&clinic, visit).await;
                }
                let report = run(&clinic, &now).await.report();
                assert_eq!((&report["told"], &report["ended"]), (&json!(1), &json!(0)), "{kind:?} {has_time}");
                assert_eq!(run(&clinic, &now).await.count("scanned"), 0, "{kind:?} {has_time}");
                book_again(&clinic, visit).await;
                let report = run(&clinic, &now).await.report();
                let counts = ["scanned", "handled", "ended"].map(|key| report[key].as_u64().expect("a count"));
                assert_eq!(counts, [1, 0, 1], "{kind:?} {has_time}");
                assert_eq!(outcomes(&clinic, visit).await, vec!["TOLD x"; round + 1], "{kind:?} {has_time}");
                assert_eq!(run(&clinic, &now).await.count("scanned"), 0, "{kind:?} {has_time}");
            }
            assert_eq!(notices(&clinic).await, json!({"rows": 3, "keys": 3}), "{kind:?} {has_time}");
        }
    }
}

#[tokio::test]
async fn a_cancellation_between_two_runs_is_known_by_its_time_or_by_another_start() {
    // (whether the clinic has the time of a cancellation, what it does between two runs, is it told again?)
    let again = "cancelled_at = timestamptz '2026-03-02 07:31-05'";
    let cases = [
        (true, again, true),
        // Written once more, or earlier: no other cancellation.
        (true, "cancelled_at = cancelled_at", false),
        (true, "cancelled_at = timestamptz '2026-03-02 07:00-05'", false),
        (false, "updated_at = '2026-03-02 07:31-05'", false),
        // It was booked again for another time, and cancelled.
        (false, "start_time = '10:00'", true),
        (false, "appointment_date = '2026-03-04'", true),
    ];
    for kind in Kind::ALL {
        for (has_time, change, is_told) in cases {
            let (clinic, facility, doctor) = new_york(kind).await;
            let visit = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
            if has_time {
                cancel(&clinic, visit, "2026-03-02T07:29:00-05:00").await;
            } else {
                cancel_without_time(&clinic, visit).await;
            }
            assert_eq!(run(&clinic, AT_0730).await.count("told"), 1, "{kind:?} {change}");
            clinic.sql(&format!("UPDATE appointments SET {change}")).await;
            let outcome = run(&clinic, "2026-03-02T07:32:00-05:00").await;
            assert_eq!(outcome.count("told"), u64::from(is_told), "{kind:?} {change}");
            let expected: &[&str] = if is_told { &["TOLD x", "TOLD"] } else { &["TOLD"] };
            assert_eq!(outcomes(&clinic, visit).await, expected, "{kind:?} {change}");
            assert_eq!(run(&clinic, "2026-03-02T07:34:00-05:00").await.count("scanned"), 0, "{kind:?} {change}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_or_a_time_that_is_none_tells_once() {
    for (cancelled, hours) in [
        ("2026-03-02T07:30:05-05:00", 1.5),
        ("2031-01-01T00:00:00Z", 1.5),
        ("infinity", 1.5),
        ("-infinity", 1.5),
        ("4713-01-01 BC", 1.5),
    ] {
        let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
        let visit = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
        cancel(&clinic, visit, cancelled).await;
        run(&clinic, AT_0730).await;
        let told_hours = clinic.json("SELECT metadata -> 'hours_until_start' AS h FROM notifications").await;
        assert_eq!(told_hours["h"], json!(hours), "{cancelled}");
        for minute in [31, 32, 45] {
            let outcome = run(&clinic, &format!("2026-03-02T07:{minute}:00-05:00")).await;
            assert_eq!(outcome.count("scanned"), 0, "{cancelled} {minute}");
        }
        assert_eq!(told(&clinic).await.as_array().map(Vec::len), Some(1), "{cancelled}");
    }
}

#[tokio::test]
async fn a_visit_that_is_booked_again_at_the_same_moment_wins() {
    use crate::support::{gate, program};
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    for time in ["09:00", "10:00"] {
        let visit = clinic.visit(at(facility, doctor, DAY, time, Some(15))).await;
        cancel(&clinic, visit, AT_0730).await;
    }
    gate::build_for(&clinic, "notifications", "entity_id").await;
    gate::close(&clinic, 1).await;
    // The scan has seen both; the first batch waits while the second visit is booked again.
    let run = clinic.program.start(&["notify-cancellations", "--as-of", AT_0730, "--batch-rows", "1"]);
    gate::reached(&clinic).await;
    book_again(&clinic, 2).await;
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}));
    assert!(outcomes(&clinic, 2).await.is_empty());
    let booked = clinic.json("SELECT jsonb_agg(appointment_id) AS v FROM doctor_slots WHERE is_booked").await;
    assert_eq!(booked["v"], json!([2]));
}

#[tokio::test]
async fn a_visit_that_is_cancelled_again_while_its_row_is_ended_is_left_to_the_next_run() {
    let (clinic, facility, doctor) = new_york(Kind::Bigint).await;
    let visit = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
    cancel_without_time(&clinic, visit).await;
    run(&clinic, AT_0730).await;
    book_again(&clinic, visit).await;
    clinic.sql("BEGIN; SELECT FROM visit_cancellations WHERE appointment_id IS NOT NULL FOR NO KEY UPDATE").await;
    let outcome = run(&clinic, AT_0730).await;
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    clinic.sql("COMMIT").await;
    assert_eq!(run(&clinic, AT_0730).await.count("ended"), 1);
}
