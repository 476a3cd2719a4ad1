//! The ledger: how it begins, what it knows of absences, what becomes of it when a visit is gone, and how it is pruned.

use serde_json::{Value, json};

use super::{AT_0730, DAY, at, began, cancel, cancel_without_time, new_york, outcomes, run, told};
use crate::support::Clinic;
use crate::support::keys::Kind;

async fn beginnings(clinic: &Clinic) -> Value {
    let query = "SELECT jsonb_agg(seen_at) AS b FROM visit_cancellations WHERE outcome = 'BEGAN'";
    clinic.json(query).await["b"].clone()
}

#[tokio::test]
async fn what_was_cancelled_before_the_first_run_is_recorded_and_not_told() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let timed = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
        let untimed = clinic.visit(at(facility, doctor, DAY, "10:00", Some(15))).await;
        cancel(&clinic, timed, "2026-03-02T07:29:59-05:00").await;
        cancel_without_time(&clinic, untimed).await;
        // A dry run says so, and begins nothing.
        let dry = clinic.run(&["notify-cancellations", "--as-of", AT_0730, "--dry-run"]).await.expect(0);
        assert_eq!((&dry.report()["untold"]["before"], beginnings(&clinic).await), (&json!(2), Value::Null));
        let report = run(&clinic, AT_0730).await.report();
        assert_eq!((&report["untold"]["before"], &report["slots_released"]), (&json!(2), &json!(2)), "{kind:?}");
        for visit in [timed, untimed] {
            assert_eq!(outcomes(&clinic, visit).await, ["BEFORE"], "{kind:?}");
        }
        assert_eq!((told(&clinic).await, beginnings(&clinic).await), (json!([]), json!(["2026-03-02T12:30:00+00:00"])));
        // It begins once. What the clinic says was cancelled before is BEFORE whenever it is seen; what it does not say,
        // was cancelled when it is seen.
        let late = clinic.visit(at(facility, doctor, DAY, "11:00", None)).await;
        let next = clinic.visit(at(facility, doctor, DAY, "12:00", None)).await;
        cancel(&clinic, late, "2026-03-02T07:29:59.999999-05:00").await;
        cancel_without_time(&clinic, next).await;
        run(&clinic, "2026-03-02T07:32:00-05:00").await;
        assert_eq!(
            (outcomes(&clinic, late).await, outcomes(&clinic, next).await),
            (vec!["BEFORE".into()], vec!["TOLD".into()])
        );
        assert_eq!(beginnings(&clinic).await, json!(["2026-03-02T12:30:00+00:00"]), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_cancelled_during_the_first_run_is_told() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
    cancel(&clinic, visit, "2026-03-02T07:30:00-05:00").await;
    run(&clinic, AT_0730).await;
    assert_eq!(outcomes(&clinic, visit).await, ["TOLD"], "at the instant with which the ledger begins");
}

#[tokio::test]
async fn the_ledger_begins_also_where_nothing_is_cancelled_and_not_with_one_facility() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
    cancel_without_time(&clinic, visit).await;
    let of_one = ["notify-cancellations", "--as-of", AT_0730, "--facility", &facility.to_string()];
    assert_eq!(clinic.run(&of_one).await.expect(0).report()["untold"]["before"], 1);
    assert_eq!(beginnings(&clinic).await, Value::Null);
    assert_eq!(run(&clinic, AT_0730).await.count("scanned"), 0);
    assert_eq!(beginnings(&clinic).await, json!(["2026-03-02T12:30:00+00:00"]));
}

#[tokio::test]
async fn a_visit_that_is_held_when_the_ledger_begins_is_before_it() {
    for held in ["SELECT FROM appointments FOR NO KEY UPDATE", "SELECT FROM doctor_slots FOR NO KEY UPDATE"] {
        let clinic = Clinic::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
        cancel_without_time(&clinic, visit).await;
        clinic.sql(&format!("BEGIN; {held}")).await;
        let outcome = run(&clinic, AT_0730).await;
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}), "{held}");
        clinic.sql("COMMIT").await;
        let report = run(&clinic, "2026-03-02T07:32:00-05:00").await.report();
        assert_eq!((&report["slots_released"], told(&clinic).await), (&json!(1), json!([])), "{held}");
        assert_eq!(outcomes(&clinic, visit).await, ["BEFORE"], "{held}");
    }
}

#[tokio::test]
async fn a_first_run_is_not_asked_about_because_it_tells_nobody() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 3).await;
    clinic.sql(&format!("UPDATE appointments SET status = 'CANCELLED', cancelled_at = '{AT_0730}'")).await;
    let program = clinic.program.clone().env("ROUNDS_FIRST_RUN_MAX", "2");
    let later = ["notify-cancellations", "--as-of", "2026-03-02T07:32:00-05:00"];
    assert_eq!(
        program.run(&[&later[..], &["--max-items", "2"]].concat()).await.expect(5).report()["error_code"],
        "BRAKE"
    );
    assert_eq!(program.run(&later).await.expect(0).report()["untold"]["before"], 3);
    // A lane that has never completed a run, and would tell.
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 3).await;
    clinic.sql(&format!("UPDATE appointments SET status = 'CANCELLED', cancelled_at = '{AT_0730}'")).await;
    began(&clinic, "2026-03-01T12:00Z").await;
    let program = clinic.program.clone().env("ROUNDS_FIRST_RUN_MAX", "2");
    assert_eq!(program.run(&later).await.expect(5).report()["error_code"], "BRAKE");
}

#[tokio::test]
async fn what_an_absence_cancelled_is_not_told_and_its_slot_is_released() {
    for kind in Kind::ALL {
        let (clinic, facility, doctor) = new_york(kind).await;
        let visit = clinic.visit(at(facility, doctor, DAY, "09:00", Some(15))).await;
        cancel(&clinic, visit, "2026-03-02T07:29-05").await;
        clinic
            .sql(&format!(
                "INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome)
                 VALUES (k({visit})::text, '2026-03-02 09:00', '2026-03-02 07:29-05', '2026-03-02 07:29-05', 'BY_ABSENCE')"
            ))
            .await;
        let report = run(&clinic, AT_0730).await.report();
        let counts = ["scanned", "handled", "slots_released", "notifications"].map(|key| report[key].as_u64());
        assert_eq!(counts, [1, 1, 1, 0].map(Some), "{kind:?}");
        assert_eq!(run(&clinic, AT_0730).await.count("scanned"), 0, "{kind:?}");
        assert_eq!(outcomes(&clinic, visit).await, ["BY_ABSENCE"], "{kind:?}");
    }
}

#[tokio::test]
async fn the_rows_of_a_visit_that_is_gone_stay_and_stop_nobody() {
    for kind in Kind::ALL {
        let (clinic, facility, doctor) = new_york(kind).await;
        let gone = clinic.visit(at(facility, doctor, DAY, "09:00", None)).await;
        let other = clinic.visit(at(facility, doctor, DAY, "10:00", None)).await;
        cancel(&clinic, gone, AT_0730).await;
        run(&clinic, AT_0730).await;
        // And a key that is none in this clinic.
        clinic
            .sql(&format!(
                "DELETE FROM appointments WHERE id = k({gone});
                 INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome)
                 VALUES ('no key', '2026-03-02 09:00', '{AT_0730}', '{AT_0730}', 'TOLD')"
            ))
            .await;
        cancel(&clinic, other, AT_0730).await;
        let outcome = run(&clinic, "2026-03-02T07:32:00-05:00").await;
        assert_eq!((outcome.count("scanned"), outcome.count("told")), (1, 1), "{kind:?}");
        let rows = "SELECT count(*) FROM visit_cancellations WHERE ended_at IS NULL AND appointment_id IS NOT NULL";
        assert_eq!(clinic.count(rows).await, 3, "{kind:?}");
    }
}

#[tokio::test]
async fn prune_deletes_what_is_long_over_and_never_the_beginning() {
    let clinic = Clinic::new().await;
    began(&clinic, "2020-01-01T00:00Z").await;
    // (when it was seen, when the visit is, when the row ended; all in days from now)
    for (name, seen, start, ended) in [
        ("old", -402, Some(-402), None),
        ("old-ended", -402, Some(30), Some(-401)),
        ("old-without-start", -402, None, None),
        ("ended-lately", -402, Some(-402), Some(-399)),
        ("still-to-come", -402, Some(5), None),
        ("just-past", -402, Some(-400), None),
        ("seen-lately", -399, Some(-399), None),
    ] {
        let day = |days: Option<i32>| days.map_or("NULL".to_owned(), |days| format!("c + interval '{days} days'"));
        clinic
            .sql(&format!(
                "INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, ended_at)
                 SELECT '{name}', ({}) AT TIME ZONE 'UTC', c, {}, 'TOLD', {} FROM clock_timestamp() c",
                day(start),
                day(Some(seen)),
                day(ended)
            ))
            .await;
    }
    let report = clinic.run(&["prune"]).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["cancellations"]), (&json!(3), &json!(3)));
    let left = "SELECT jsonb_agg(coalesce(appointment_id, outcome) ORDER BY id) AS l FROM visit_cancellations";
    let expected = json!(["BEGAN", "ended-lately", "still-to-come", "just-past", "seen-lately"]);
    assert_eq!(clinic.json(left).await["l"], expected);
}
