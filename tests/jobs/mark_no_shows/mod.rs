//! `rounds mark-no-shows`: its rule at every boundary, and everything a job owes.

mod properties;

use serde_json::json;

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;

const DAY: &str = "2026-03-02";
const AT_0915: &str = "2026-03-02T09:15:00-05:00";

const SUBJECT: Subject = Subject {
    job: &["mark-no-shows", "--as-of", AT_0915],
    table: "appointments",
    written: ("no_show_logs", "appointment_id"),
    evidence: &[
        ("no_show_logs", "appointment_id", 1),
        ("(SELECT * FROM appointments WHERE status = 'NO_SHOW')", "id", 1),
        ("notifications", "entity_id", 2),
    ],
    entity: "appointment",
    done: "/marked",
    ..owed::SUBJECT
};

/// Visits of a patient with a phone.
struct VisitFixture;

impl VisitFixture {
    /// With so many that are due.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.many(facility, doctor, things).await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

owed::owed_by_the_job!(VisitFixture);

/// A visit at 09:00 of 2026-03-02.
fn at_nine(facility: i64, doctor: i64, status: &'static str, slot: Option<i32>) -> Visit<'static> {
    let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T08:55-05");
    Visit { facility, doctor, date: DAY, time: "09:00", status, checked_in, vitals: None, slot }
}

#[tokio::test]
async fn a_visit_is_untouched_until_its_threshold_and_marked_at_it() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.visit(at_nine(facility, doctor, "SCHEDULED", Some(15))).await;
    for early in ["2026-03-02T09:00:00-05:00", "2026-03-02T09:10:00-05:00", "2026-03-02T09:14:59.999-05:00"] {
        let outcome = clinic.mark(early).await.expect(0);
        assert_eq!(outcome.count("scanned"), 0, "{early}");
        assert_eq!(clinic.status(visit).await, "SCHEDULED", "{early}");
    }
    let report = clinic.mark(AT_0915).await.expect(0).report();
    let counts = ["scanned", "marked", "slots_released", "notifications", "notices_expired", "skipped", "failed"];
    assert_eq!(counts.map(|key| report[key].as_u64().expect("a count")), [1, 1, 0, 2, 0, 0, 0]);
    assert_eq!(clinic.status(visit).await, "NO_SHOW");
    let log = clinic.json("SELECT * FROM no_show_logs").await;
    for (key, value) in [
        ("appointment_id", json!(visit.to_string())),
        ("reason", json!("AUTO_TIMEOUT")),
        ("slot_time", json!("2026-03-02T14:00:00+00:00")),
        ("timeout_minutes", json!(15)),
        ("triggered_at", json!("2026-03-02T14:15:00+00:00")),
        ("slot_released", json!(false)),
        ("slot_released_at", json!(null)),
        ("notification_sent", json!(false)),
        ("created_by", json!(null)),
        ("run_id", report["run_id"].clone()),
    ] {
        assert_eq!(log[key], value, "{key}");
    }
    // The slot is over at 09:15: it stays what it was.
    let slot = clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
    assert_eq!(slot, json!({"is_booked": true, "is_blocked": true, "appointment_id": visit}));
    // A second run finds nothing.
    assert_eq!(clinic.mark("2026-03-02T09:20:00-05:00").await.expect(0).count("scanned"), 0);
    assert_eq!(clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn the_facilitys_timeout_comes_before_the_slot_length() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", Some(20)).await;
    let doctor = clinic.doctor(facility, Some(15)).await;
    let unset = clinic.doctor(facility, None).await;
    for doctor in [doctor, unset] {
        clinic.scheduled(facility, doctor, DAY, "09:00").await;
    }
    assert_eq!(clinic.mark("2026-03-02T09:19:59-05:00").await.expect(0).count("scanned"), 0);
    // The doctor without a slot length is no failure: the facility says how long to wait.
    assert_eq!(clinic.mark("2026-03-02T09:20:00-05:00").await.expect(0).count("marked"), 2);
}

#[tokio::test]
async fn only_awaited_local_visits_are_marked() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let awaited = ["SCHEDULED", "CONFIRMED"];
    for status in ["SCHEDULED", "CONFIRMED", "CHECKED_IN", "IN_PROGRESS", "COMPLETED", "NO_SHOW"] {
        clinic.visit(at_nine(facility, doctor, status, None)).await;
    }
    let cancelled = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let cancel = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = created_at WHERE id = ";
    clinic.sql(&format!("{cancel}{cancelled}")).await;
    let foreign = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let source = "UPDATE appointments SET source = 'PRACTICEQ', external_id = 'x' WHERE id = ";
    clinic.sql(&format!("{source}{foreign}")).await;
    let before = clinic.rows("SELECT id, status FROM appointments ORDER BY id").await;
    assert_eq!(clinic.mark(AT_0915).await.expect(0).count("scanned"), 2);
    for row in before {
        let (id, status): (i64, String) = (row.get(0), row.get(1));
        let marked = awaited.contains(&status.as_str()) && id != foreign;
        let expected = if marked { "NO_SHOW" } else { status.as_str() };
        assert_eq!(clinic.status(id).await, expected, "visit {id} was {status}");
    }
}

#[tokio::test]
async fn a_slot_is_released_while_it_lasts_and_not_after() {
    // (timeout, slot length or none for no slot row, released?): the doctor's slots are 30 minutes long.
    let cases =
        [(29, Some(30), true), (30, Some(30), false), (10, Some(10), false), (29, None, true), (30, None, false)];
    for (timeout, slot, released) in cases {
        let clinic = Clinic::new().await;
        let facility = clinic.facility("America/New_York", Some(timeout)).await;
        let doctor = clinic.doctor(facility, Some(30)).await;
        let visit = clinic.visit(at_nine(facility, doctor, "SCHEDULED", slot)).await;
        let now = format!("2026-03-02T09:{timeout}:00-05:00");
        let outcome = clinic.mark(&now).await.expect(0);
        assert_eq!(outcome.count("slots_released"), u64::from(released), "{timeout} {slot:?}");
        let log = clinic.json("SELECT slot_released, slot_released_at = triggered_at AS then FROM no_show_logs").await;
        let expected = json!({"slot_released": released, "then": released.then_some(true)});
        assert_eq!(log, expected, "{timeout} {slot:?}");
        if slot.is_some() {
            let row = clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
            let free = json!({"is_booked": false, "is_blocked": false, "appointment_id": null});
            let taken = json!({"is_booked": true, "is_blocked": true, "appointment_id": visit});
            assert_eq!(row, if released { free } else { taken }, "{timeout} {slot:?}");
        }
    }
}

#[tokio::test]
async fn a_released_slot_stays_blocked_while_the_doctor_is_away() {
    const ALONE: Option<bool> = None;
    const BLOCKED: Option<bool> = Some(true);
    const FREE: Option<bool> = Some(false);
    // (first day, last day, their times, status, what becomes of the slot): it is from 09:00 to 09:30 of March 2.
    let cases = [
        ("'2026-03-02', '2026-03-02', NULL, NULL", "ACTIVE", ALONE),
        ("'2026-03-02', '2026-03-02', NULL, NULL", "CANCELLED", FREE),
        // The last day is included.
        ("'2026-02-20', '2026-03-02', NULL, NULL", "ACTIVE", ALONE),
        ("'2026-02-20', '2026-03-01', NULL, NULL", "ACTIVE", FREE),
        ("'2026-03-03', '2026-03-09', NULL, NULL", "ACTIVE", FREE),
        // A part of the day; its beginning is inside, its end is not.
        ("'2026-03-02', '2026-03-02', '09:00', '12:00'", "ACTIVE", ALONE),
        ("'2026-03-02', '2026-03-02', '09:01', '12:00'", "ACTIVE", BLOCKED),
        ("'2026-03-02', '2026-03-02', '08:00', '12:00'", "ACTIVE", ALONE),
        ("'2026-03-02', '2026-03-02', '08:00', '12:00'", "CANCELLED", FREE),
        ("'2026-03-02', '2026-03-02', '08:00', '09:00'", "ACTIVE", FREE),
        ("'2026-03-02', '2026-03-02', '08:00', '09:01'", "ACTIVE", ALONE),
        ("'2026-03-02', '2026-03-02', '09:30', '12:00'", "ACTIVE", FREE),
        ("'2026-03-02', '2026-03-02', '09:29', '12:00'", "ACTIVE", BLOCKED),
        // The times are those of the first and of the last day, and do not bound the days between them.
        ("'2026-03-01', '2026-03-03', '20:00', '06:00'", "ACTIVE", ALONE),
        // Over midnight.
        ("'2026-03-01', '2026-03-02', '22:00', '09:00'", "ACTIVE", FREE),
        ("'2026-03-01', '2026-03-02', '22:00', '09:01'", "ACTIVE", ALONE),
        ("'2026-03-02', '2026-03-03', '09:30', '06:00'", "ACTIVE", FREE),
        ("'2026-03-02', '2026-03-03', '09:29', '06:00'", "ACTIVE", BLOCKED),
        ("'2026-03-02', '2026-03-03', '09:30', NULL", "ACTIVE", FREE),
        ("'2026-03-01', '2026-03-02', NULL, '09:00'", "ACTIVE", FREE),
        // A day beyond all calendars: nobody knows when the doctor comes back.
        ("'2026-03-01', '5874897-12-31', NULL, NULL", "ACTIVE", ALONE),
        ("'2026-03-03', '5874897-12-31', NULL, NULL", "ACTIVE", FREE),
    ];
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", Some(10)).await;
        let doctor = clinic.doctor(facility, Some(30)).await;
        clinic.visit(at_nine(facility, doctor, "SCHEDULED", Some(30))).await;
        for (absence, status, outcome) in cases {
            clinic
                .sql(&format!(
                    "DELETE FROM doctor_absences;
                     UPDATE appointments SET status = 'SCHEDULED';
                     UPDATE doctor_slots SET is_booked = true, is_blocked = true, appointment_id = k(1);
                     INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time, status)
                     VALUES (k({doctor}), {absence}, '{status}')"
                ))
                .await;
            let report = clinic.mark("2026-03-02T09:10:00-05:00").await.expect(0).report();
            let slot = clinic.json("SELECT is_booked, is_blocked FROM doctor_slots").await;
            let booked = json!({"is_booked": outcome == ALONE, "is_blocked": outcome != FREE});
            assert_eq!(slot, booked, "{kind:?} {absence} {status}");
            let counts = ["scanned", "marked", "slots_released", "skipped"].map(|key| report[key].as_u64());
            let expected = if outcome == ALONE { [1, 0, 0, 1] } else { [1, 1, 1, 0] };
            assert_eq!(counts, expected.map(Some), "{kind:?} {absence} {status}");
            if outcome == ALONE {
                assert_eq!(report["skipped_by_reason"], json!({"doctor_absent": 1}), "{absence}");
            }
        }
    }
}

#[tokio::test]
async fn a_leave_is_the_doctors_own_and_hides_nobody_who_is_due() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let colleague = clinic.doctor(facility, Some(15)).await;
    let away = [
        clinic.scheduled(facility, doctor, DAY, "08:00").await,
        clinic.scheduled(facility, doctor, DAY, "08:30").await,
    ];
    let due = clinic.scheduled(facility, colleague, DAY, "08:00").await;
    let leave = "INSERT INTO doctor_absences (doctor_id, first_day, last_day) VALUES";
    clinic.sql(&format!("{leave} ({doctor}, '{DAY}', '{DAY}')")).await;
    // The brake counts what would be marked only, and those that are left alone do not crowd it out.
    let outcome = clinic.run(&["mark-no-shows", "--as-of", AT_0915, "--max-items", "1"]).await.expect(0);
    assert_eq!((outcome.count("marked"), clinic.status(due).await.as_str()), (1, "NO_SHOW"));
    for visit in away {
        assert_eq!(clinic.status(visit).await, "SCHEDULED");
    }
    assert_eq!(clinic.effects().await, (1, 1, 2), "whose doctor is away is not told of a missed visit");
    // The leave is called off: they were missed after all.
    clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
    assert_eq!(clinic.mark(AT_0915).await.expect(0).count("marked"), 2);
}

#[tokio::test]
async fn an_absence_that_is_entered_at_the_same_moment_wins() {
    use crate::support::{gate, program};
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 2).await;
    gate::build(&clinic).await;
    gate::close(&clinic, 1).await;
    let run = clinic.program.start(&["mark-no-shows", "--as-of", AT_0915, "--batch-rows", "1"]);
    gate::reached(&clinic).await;
    let leave = "INSERT INTO doctor_absences (doctor_id, first_day, last_day) VALUES";
    clinic.sql(&format!("{leave} ({doctor}, '{DAY}', '{DAY}')")).await;
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}));
    assert_eq!(clinic.status(2).await, "SCHEDULED");
}

#[tokio::test]
async fn an_absence_after_midnight_does_not_block_a_slot_that_ends_at_midnight() {
    for (first_day, from, blocked) in [("2026-03-02", "23:31", true), ("2026-03-03", "00:00", false)] {
        let clinic = Clinic::new().await;
        let facility = clinic.facility("America/New_York", Some(10)).await;
        let doctor = clinic.doctor(facility, Some(30)).await;
        let visit = Visit { time: "23:30", ..at_nine(facility, doctor, "SCHEDULED", Some(29)) };
        clinic.visit(visit).await;
        let absence = "INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time) SELECT id,";
        clinic
            .sql(&format!(
                "UPDATE doctor_slots SET end_time = '24:00'; {absence} '{first_day}', '2026-03-09', '{from}' FROM doctors"
            ))
            .await;
        clinic.mark("2026-03-02T23:40:00-05:00").await.expect(0);
        let row = clinic.json("SELECT is_booked, is_blocked FROM doctor_slots").await;
        assert_eq!(row, json!({"is_booked": false, "is_blocked": blocked}), "{first_day}");
    }
}

#[tokio::test]
async fn a_slot_marked_at_ten_past_is_free_for_another_patient() {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", Some(10)).await;
    let doctor = clinic.doctor(facility, Some(15)).await;
    let visit = Visit { time: "10:00", ..at_nine(facility, doctor, "CONFIRMED", Some(15)) };
    clinic.visit(visit).await;
    clinic.mark("2026-03-02T10:10:00-05:00").await.expect(0);
    let second = clinic.scheduled(facility, doctor, DAY, "10:00").await;
    let booked = "UPDATE doctor_slots SET is_booked = true, appointment_id = $1
                  WHERE doctor_id = $2 AND start_time = '10:00' AND NOT is_booked AND NOT is_blocked";
    assert_eq!(clinic.client.execute(booked, &[&second, &doctor]).await.expect("can be booked"), 1);
}

#[tokio::test]
async fn earlier_days_are_caught_up_but_nobody_is_told_so_late() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    for date in ["2026-02-22", "2026-02-23", "2026-03-01", "2026-03-02", "2026-03-03"] {
        clinic.scheduled(facility, doctor, date, "23:50").await;
    }
    // 00:05 of March 2: yesterday's last visit becomes due after midnight, and is yesterday's all the same.
    let outcome = clinic.run(&["mark-no-shows", "--as-of", "2026-03-02T00:05:00-05:00"]).await.expect(0);
    assert_eq!((outcome.count("marked"), outcome.count("notices_expired")), (2, 2));
    assert_eq!(clinic.effects().await, (2, 2, 0));
    let report = clinic.run(&["mark-no-shows", "--as-of", "2026-03-02T23:59:00-05:00", "--lookback-days", "8"]).await;
    assert_eq!(report.expect(0).count("marked"), 1, "the eighth day back");
    let dates =
        clinic.json("SELECT array_agg(appointment_date ORDER BY 1) AS d FROM appointments WHERE status <> 'NO_SHOW'");
    assert_eq!(dates.await["d"], json!(["2026-03-02", "2026-03-03"]));
    let outcome = clinic.run(&["mark-no-shows", "--as-of", "2026-03-03T00:05:00-05:00", "--lookback-days", "0"]).await;
    assert_eq!(outcome.expect(0).count("scanned"), 0, "today only");
}

#[tokio::test]
async fn the_patient_is_told_once_in_the_right_words() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let report = clinic.mark(AT_0915).await.expect(0).report();
    let rows = clinic.rows("SELECT to_jsonb(n) - 'id' FROM notifications n ORDER BY channel").await;
    let notices: Vec<serde_json::Value> = rows.iter().map(|row| row.get(0)).collect();
    let text = serde_json::to_string_pretty(&notices).expect("JSON");
    let text = text.replace(report["run_id"].as_str().expect("an id"), "RUN").replace(&format!(":{visit}:"), ":VISIT:");
    insta::assert_snapshot!("missed_appointment", text);
}

#[tokio::test]
async fn nobody_is_told_where_there_is_no_phone_or_no_consent() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let no_phone = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let opted_out = clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let patient = "id = (SELECT patient_id FROM appointments WHERE id =";
    clinic.sql(&format!("UPDATE patients SET phone = NULL WHERE {patient} {no_phone})")).await;
    clinic.sql(&format!("UPDATE patients SET sms_opt_out = true WHERE {patient} {opted_out})")).await;
    let outcome = clinic.mark(AT_0915).await.expect(0);
    assert_eq!((outcome.count("notifications"), outcome.count("notices_suppressed")), (2, 1));
    let rows = clinic.json(
        "SELECT jsonb_agg(jsonb_build_array(entity_id::bigint, channel, status) ORDER BY id) AS n FROM notifications",
    );
    let expected =
        json!([[no_phone, "IN_APP", "SENT"], [opted_out, "IN_APP", "SENT"], [opted_out, "SMS", "SUPPRESSED"]]);
    assert_eq!(rows.await["n"], expected);
}

#[tokio::test]
async fn a_visit_that_is_booked_again_and_missed_again_is_told_again() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.scheduled(facility, doctor, DAY, "09:00").await;
    clinic.mark(AT_0915).await.expect(0);
    clinic.sql("UPDATE appointments SET status = 'SCHEDULED'").await;
    clinic.mark("2026-03-02T09:20:00-05:00").await.expect(0);
    assert_eq!(clinic.effects().await, (1, 2, 4));
}

#[tokio::test]
async fn a_row_that_the_application_holds_is_left_to_the_next_run() {
    for (held, what) in [
        ("SELECT FROM appointments WHERE id = 1 FOR NO KEY UPDATE", "the visit"),
        ("SELECT FROM doctor_slots WHERE appointment_id = 1 FOR NO KEY UPDATE", "its slot"),
    ] {
        let clinic = Clinic::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.visit(at_nine(facility, doctor, "SCHEDULED", Some(15))).await;
        clinic.visit(Visit { time: "08:00", ..at_nine(facility, doctor, "SCHEDULED", Some(15)) }).await;
        clinic.sql(&format!("BEGIN; {held}")).await;
        let outcome = clinic.mark(AT_0915).await.expect(0);
        assert_eq!((outcome.count("scanned"), outcome.count("marked")), (2, 1), "{what}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}), "{what}");
        clinic.sql("COMMIT").await;
        assert_eq!(clinic.mark(AT_0915).await.expect(0).count("marked"), 1, "{what}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_had_in_time_is_skipped_and_the_others_go_through() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    for time in ["08:00", "08:15", "08:30", "08:45"] {
        clinic.scheduled(facility, doctor, DAY, time).await;
    }
    // What an application's own trigger may wait for.
    clinic
        .sql(
            "CREATE FUNCTION touch_patient() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM FROM patients WHERE id = NEW.patient_id FOR UPDATE; RETURN NEW; END $$;
             CREATE TRIGGER touch BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION touch_patient()",
        )
        .await;
    let held = "SELECT FROM patients WHERE id = (SELECT patient_id FROM appointments WHERE id = 3) FOR UPDATE";
    clinic.sql(&format!("BEGIN; {held}")).await;
    let args = ["mark-no-shows", "--as-of", AT_0915, "--lease", "3s"];
    let outcome = clinic.run(&args).await.expect(0);
    assert_eq!(outcome.count("marked"), 3, "{outcome:?}");
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.run(&args).await.expect(0).count("marked"), 1);
}

#[tokio::test]
async fn a_patient_who_checks_in_at_the_same_moment_wins() {
    use crate::support::{gate, program};
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 2).await;
    gate::build(&clinic).await;
    gate::close(&clinic, 1).await;
    // The scan has seen both; the first batch waits while the second patient comes in.
    let run = clinic.program.start(&["mark-no-shows", "--as-of", AT_0915, "--batch-rows", "1"]);
    gate::reached(&clinic).await;
    clinic
        .sql("UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '2026-03-02 09:15-05' WHERE id = 2")
        .await;
    gate::open(&clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}));
    assert_eq!(clinic.status(2).await, "CHECKED_IN");
    assert_eq!(clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn rows_that_cannot_be_judged_are_named_and_stop_nobody() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.scheduled(facility, doctor, DAY, "09:00").await;
    let unset = clinic.doctor(facility, None).await;
    clinic.scheduled(facility, unset, DAY, "09:00").await;
    // Where a clinic's own tables are mapped with views there is no such constraint.
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    let lost = clinic.facility("Mars/Olympus_Mons", None).await;
    let stranded = clinic.doctor(lost, Some(15)).await;
    clinic.scheduled(lost, stranded, DAY, "09:00").await;
    let outcome = clinic.mark(AT_0915).await.expect(3);
    assert_eq!((outcome.count("scanned"), outcome.count("marked"), outcome.count("failed")), (3, 1, 2));
    let errors = json!([
        {"entity": "facility", "id": lost.to_string(), "code": "UNKNOWN_TIME_ZONE"},
        {"entity": "doctor", "id": unset.to_string(), "code": "NO_SLOT_LENGTH"},
    ]);
    assert_eq!(outcome.report()["errors"], errors);
    assert!(outcome.stderr.contains(&format!("facility {lost}")), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("Mars"), "{}", outcome.stderr);
    assert_eq!(clinic.effects().await.0, 1);
    let recorded = clinic.count("SELECT count(*) FROM cron_job_run_errors").await;
    assert_eq!(recorded, 2);
}

#[tokio::test]
async fn a_start_that_is_no_time_leaves_that_visit_unjudged_and_the_others_are_marked() {
    let clinic = Clinic::of(Kind::TextViews).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 3).await;
    clinic.visit(at_nine(facility, doctor, "SCHEDULED", Some(15))).await;
    // The end of a slot that cannot be read: the doctor's slot length counts instead.
    clinic
        .sql(
            "UPDATE appointments SET start_time = '9h' WHERE id = k(2);
             UPDATE doctor_slots SET end_time = '9h30'",
        )
        .await;
    for dry in [&["--dry-run"][..], &[]] {
        let outcome = clinic.run(&[&["mark-no-shows", "--as-of", AT_0915], dry].concat()).await.expect(3);
        assert_eq!((outcome.count("scanned"), outcome.count("marked"), outcome.count("failed")), (4, 3, 1));
        let error = json!([{"entity": "appointment", "id": clinic.kind.text(2), "code": "UNREADABLE_TIME"}]);
        assert_eq!(outcome.report()["errors"], error);
        assert!(!outcome.stderr.contains("9h"), "{}", outcome.stderr);
    }
    assert_eq!(clinic.effects().await.0, 3);
    assert_eq!(clinic.status(2).await, "SCHEDULED");
    let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE n(entity_id) = 2 AND error_code = 'UNREADABLE_TIME'";
    assert_eq!(clinic.count(recorded).await, 1);
    clinic.sql("UPDATE appointments SET start_time = '9:00' WHERE id = k(2)").await;
    assert_eq!(clinic.mark(AT_0915).await.expect(0).count("marked"), 1);
}

#[tokio::test]
async fn values_that_a_view_may_give_stop_nobody() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.many(facility, doctor, 3).await;
        clinic.visit(at_nine(facility, doctor, "SCHEDULED", Some(15))).await;
        let nowhere = clinic.facility("America/Denver", None).await;
        let stranded = clinic.doctor(nowhere, Some(15)).await;
        clinic.scheduled(nowhere, stranded, DAY, "09:00").await;
        let schema = if kind == Kind::TextViews { "app" } else { "rounds" };
        clinic
            .sql(&format!(
                "ALTER TABLE {schema}.facilities DROP CONSTRAINT facilities_time_zone_known;
                 ALTER TABLE {schema}.facilities ALTER time_zone DROP NOT NULL;
                 UPDATE facilities SET time_zone = NULL WHERE id = k({nowhere});
                 UPDATE appointments SET appointment_date = '5874897-12-31' WHERE id = k(2);
                 UPDATE appointments SET appointment_date = '4713-01-01 BC' WHERE id = k(3);
                 UPDATE doctor_slots SET slot_date = '5874897-12-31'"
            ))
            .await;
        let outcome = clinic.mark(AT_0915).await.expect(3);
        assert_eq!((outcome.count("marked"), outcome.count("failed")), (2, 1), "{kind:?} {outcome:?}");
        let error = json!([{"entity": "facility", "id": kind.text(nowhere), "code": "UNKNOWN_TIME_ZONE"}]);
        assert_eq!(outcome.report()["errors"], error, "{kind:?}");
    }
}

#[tokio::test]
async fn each_facility_has_its_own_clock_and_both_nights_of_the_year() {
    // (zone, date, time, the instant at which 15 minutes are over)
    let cases = [
        ("America/Denver", "2026-03-02", "09:00", "2026-03-02T16:15:00Z"),
        ("Asia/Kathmandu", "2026-03-02", "09:00", "2026-03-02T03:30:00Z"),
        ("Pacific/Kiritimati", "2026-03-02", "00:00", "2026-03-01T10:15:00Z"),
        ("Pacific/Pago_Pago", "2026-03-02", "23:45", "2026-03-03T11:00:00Z"),
        // Spring: 02:30 does not exist and is read with the offset before the change; so 03:30 EDT.
        ("America/New_York", "2026-03-08", "01:59", "2026-03-08T07:14:00Z"),
        ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:45:00Z"),
        ("America/New_York", "2026-03-08", "03:00", "2026-03-08T07:15:00Z"),
        // Autumn: 01:30 comes twice and is read as the second, standard time.
        ("America/New_York", "2026-11-01", "00:59", "2026-11-01T05:14:00Z"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T06:45:00Z"),
        ("America/New_York", "2026-11-01", "02:00", "2026-11-01T07:15:00Z"),
    ];
    for (zone, date, time, due) in cases {
        let clinic = Clinic::new().await;
        let facility = clinic.facility(zone, None).await;
        let doctor = clinic.doctor(facility, Some(15)).await;
        clinic.scheduled(facility, doctor, date, time).await;
        let due: chrono::DateTime<chrono::Utc> = due.parse().expect("an instant");
        let early = (due - chrono::TimeDelta::milliseconds(1)).to_rfc3339();
        assert_eq!(clinic.mark(&early).await.expect(0).count("marked"), 0, "{zone} {date} {time}");
        assert_eq!(clinic.mark(&due.to_rfc3339()).await.expect(0).count("marked"), 1, "{zone} {date} {time}");
    }
}
