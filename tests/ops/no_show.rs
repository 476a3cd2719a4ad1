//! `rounds no-show`: who may mark whom, what that does, and what can be looked at afterwards.

use serde_json::{Value, json};

use super::{ROLES, application, at_once, everything, group_user, plant, refused, state, through};
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::{self, Outcome};
use crate::support::proxy::Act;
use crate::support::{Clinic, gate};

const DAY: &str = "2026-03-02";
const AT_1010: &str = "2026-03-02T10:10:00-05:00";
const STAFF: &str = "MANUAL_STAFF";
const DOCTOR: &str = "MANUAL_DOCTOR";
const CALLED: &str = "PATIENT_CALLED";

/// A facility with a 15-minute doctor and a nurse; a visit from 10:00 to 10:15, with its slot.
pub struct BookedVisit {
    pub clinic: Clinic,
    pub facility: i64,
    pub doctor: i64,
    pub visit: i64,
    pub nurse: i64,
}

impl BookedVisit {
    pub async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    pub async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let nurse = clinic.user(facility, "NURSE").await;
        let mut booked = Self { clinic, facility, doctor, nurse, visit: 0 };
        booked.visit = booked.book("10:00", "SCHEDULED").await;
        booked
    }

    pub async fn book(&self, time: &str, status: &str) -> i64 {
        let (facility, doctor) = (self.facility, self.doctor);
        let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T08:55-05");
        let visit = Visit { facility, doctor, date: DAY, time, status, checked_in, vitals: None, slot: Some(15) };
        self.clinic.visit(visit).await
    }

    async fn mark_with(&self, visit: i64, reason: &str, actor: i64, more: &[&str]) -> Outcome {
        let [visit, actor] = [visit, actor].map(|number| self.clinic.kind.text(number));
        self.clinic.run(&[&["no-show", "mark", &visit, "--reason", reason, "--actor", &actor], more].concat()).await
    }

    /// At 10:10 of that day.
    pub async fn mark(&self, visit: i64, reason: &str, actor: i64) -> Outcome {
        self.mark_with(visit, reason, actor, &["--as-of", AT_1010]).await
    }

    /// The arguments with which a person marks the visit at 10:10.
    pub fn args<'a>(&self, visit: &'a str, actor: &'a str) -> Vec<&'a str> {
        vec!["no-show", "mark", visit, "--reason", STAFF, "--actor", actor, "--as-of", AT_1010]
    }

    /// The login of a doctor.
    pub async fn login(&self, doctor: i64) -> i64 {
        self.clinic.row("SELECT n(user_id) FROM doctors WHERE id = k($1)", &[&doctor]).await.get(0)
    }

    async fn refuse(&self, visit: i64, reason: &str, actor: i64, code: i32, error_code: &str) -> String {
        let before = state(&self.clinic).await;
        let message = refused(self.mark(visit, reason, actor).await, code, error_code);
        assert_eq!(state(&self.clinic).await, before, "nothing was changed: {error_code}");
        message
    }
}

#[tokio::test]
async fn reception_nurses_and_admins_of_the_facility_mark_and_nobody_else() {
    let booked = BookedVisit::new().await;
    let elsewhere = booked.clinic.facility("America/New_York", None).await;
    let (mut minute, mut marked) = (0, 0);
    for role in ROLES {
        let may = ["RECEPTIONIST", "NURSE", "HOSPITAL_ADMIN"].contains(&role);
        let here = booked.clinic.user(booked.facility, role).await;
        let there = booked.clinic.user(elsewhere, role).await;
        for reason in [STAFF, CALLED] {
            minute += 1;
            let visit = booked.book(&format!("11:{minute:02}"), "SCHEDULED").await;
            booked.refuse(visit, reason, there, 2, "ACTOR_NOT_ALLOWED").await;
            if may {
                booked.mark(visit, reason, here).await.expect(0);
                marked += 1;
            } else {
                booked.refuse(visit, reason, here, 2, "ACTOR_NOT_ALLOWED").await;
            }
        }
    }
    assert_eq!(booked.clinic.effects().await, (marked, marked, marked), "two notices each, but not for who called");
}

#[tokio::test]
async fn an_admin_of_the_group_marks_anywhere_and_a_nurse_of_no_facility_nowhere() {
    let booked = BookedVisit::new().await;
    for role in ["NURSE", "RECEPTIONIST", "DOCTOR", "SUPERVISOR"] {
        let user = group_user(&booked.clinic, role).await;
        booked.refuse(booked.visit, STAFF, user, 2, "ACTOR_NOT_ALLOWED").await;
    }
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    booked.mark(booked.visit, STAFF, admin).await.expect(0);
}

#[tokio::test]
async fn only_the_visits_own_doctor_marks_as_a_doctor() {
    let booked = BookedVisit::new().await;
    let colleague = booked.clinic.doctor(booked.facility, Some(15)).await;
    let colleague = booked.login(colleague).await;
    let admin = booked.clinic.user(booked.facility, "HOSPITAL_ADMIN").await;
    let group = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    for user in [colleague, admin, group, booked.nurse] {
        booked.refuse(booked.visit, DOCTOR, user, 2, "ACTOR_NOT_ALLOWED").await;
    }
    let own = booked.login(booked.doctor).await;
    for reason in [STAFF, CALLED] {
        booked.refuse(booked.visit, reason, own, 2, "ACTOR_NOT_ALLOWED").await;
    }
    let report = booked.mark(booked.visit, DOCTOR, own).await.expect(0).report();
    assert_eq!((&report["reason"], &report["marked_by"]), (&json!(DOCTOR), &json!(own.to_string())));
    let log = booked.clinic.json("SELECT reason, created_by FROM no_show_logs").await;
    assert_eq!(log, json!({"reason": DOCTOR, "created_by": own.to_string()}));
}

#[tokio::test]
async fn a_user_who_is_gone_or_was_never_there_marks_nothing() {
    let booked = BookedVisit::new().await;
    let own = booked.login(booked.doctor).await;
    booked.clinic.sql("UPDATE users SET active = false").await;
    booked.refuse(booked.visit, STAFF, booked.nurse, 2, "ACTOR_INACTIVE").await;
    booked.refuse(booked.visit, DOCTOR, own, 2, "ACTOR_INACTIVE").await;
    let message = booked.refuse(booked.visit, STAFF, 4711, 2, "ACTOR_UNKNOWN").await;
    assert!(message.contains("4711"), "{message}");
}

#[tokio::test]
async fn a_command_that_lacks_something_is_refused() {
    let booked = BookedVisit::new().await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let before = state(&booked.clinic).await;
    refused(booked.clinic.run(&["no-show", "mark", &visit, "--reason", STAFF]).await, 2, "NO_ACTOR");
    let message = refused(booked.mark(4711, STAFF, booked.nurse).await, 2, "UNKNOWN_APPOINTMENT");
    assert!(message.contains("4711"), "{message}");
    for (visit, reason, actor) in [
        (&*visit, "AUTO_TIMEOUT", &*nurse),
        (&visit, "", &nurse),
        (&visit, STAFF, "x"),
        (&visit, STAFF, "0"),
        ("0", STAFF, &nurse),
        ("-1", STAFF, &nurse),
        ("one", STAFF, &nurse),
        ("9223372036854775808", STAFF, &nurse),
    ] {
        let args = ["no-show", "mark", visit, "--reason", reason, "--actor", actor];
        let outcome = booked.clinic.run(&args).await.expect(2);
        assert!(!outcome.stderr.is_empty(), "{args:?}");
    }
    booked.clinic.run(&["no-show", "mark", &visit, "--actor", &nurse]).await.expect(2);
    assert_eq!(state(&booked.clinic).await, before);
}

#[tokio::test]
async fn the_clock_is_set_only_where_that_is_allowed() {
    let mut booked = BookedVisit::new().await;
    booked.clinic.program = booked.clinic.program.without("ROUNDS_ALLOW_AS_OF");
    let before = state(&booked.clinic).await;
    booked.mark(booked.visit, STAFF, booked.nurse).await.expect(2);
    assert_eq!(state(&booked.clinic).await, before);
}

#[tokio::test]
async fn visits_that_were_not_missed_cannot_be_marked() {
    let booked = BookedVisit::new().await;
    let own = booked.login(booked.doctor).await;
    for (status, time) in [("NO_SHOW", "11:00"), ("COMPLETED", "12:00"), ("IN_PROGRESS", "13:00")] {
        let visit = booked.book(time, status).await;
        for (reason, actor) in [(STAFF, booked.nurse), (CALLED, booked.nurse), (DOCTOR, own)] {
            let message = booked.refuse(visit, reason, actor, 1, "NOT_MARKABLE").await;
            let word = if status == "NO_SHOW" { "no-show" } else { status };
            assert!(message.contains(word) && message.contains(&visit.to_string()), "{message}");
        }
    }
    let cancel = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = created_at WHERE id = ";
    booked.clinic.sql(&format!("{cancel}{}", booked.visit)).await;
    let message = booked.refuse(booked.visit, STAFF, booked.nurse, 1, "NOT_MARKABLE").await;
    assert!(message.contains("CANCELLED"), "{message}");
}

#[tokio::test]
async fn a_visit_of_the_other_system_is_marked_there() {
    let booked = BookedVisit::new().await;
    for doctor in ["doctor_id", "NULL"] {
        let set = format!("source = 'PRACTICEQ', external_id = 'x', doctor_id = {doctor}");
        booked.clinic.sql(&format!("UPDATE appointments SET {set}")).await;
        booked.refuse(booked.visit, STAFF, booked.nurse, 1, "NOT_MARKABLE").await;
    }
}

#[tokio::test]
async fn who_may_not_mark_a_visit_does_not_learn_its_state() {
    let booked = BookedVisit::new().await;
    let elsewhere = booked.clinic.facility("America/New_York", None).await;
    let stranger = booked.clinic.user(elsewhere, "NURSE").await;
    let visit = booked.book("11:00", "COMPLETED").await;
    let message = booked.refuse(visit, STAFF, stranger, 2, "ACTOR_NOT_ALLOWED").await;
    assert!(!message.contains("COMPLETED"), "{message}");
}

#[tokio::test]
async fn everybody_who_is_awaited_or_waits_can_be_marked() {
    let booked = BookedVisit::new().await;
    for (status, time) in [("SCHEDULED", "11:00"), ("CONFIRMED", "12:00"), ("CHECKED_IN", "13:00")] {
        let visit = booked.book(time, status).await;
        booked.mark(visit, STAFF, booked.nurse).await.expect(0);
        assert_eq!(booked.clinic.status(visit).await, "NO_SHOW", "{status}");
    }
    assert_eq!(booked.clinic.status(booked.visit).await, "SCHEDULED");
}

#[tokio::test]
async fn a_mark_leaves_a_log_a_free_slot_and_a_report() {
    let booked = BookedVisit::new().await;
    let more = ["--as-of", AT_1010, "--notes", "did not answer"];
    let report = booked.mark_with(booked.visit, STAFF, booked.nurse, &more).await.expect(0).report();
    insta::assert_snapshot!("mark", serde_json::to_string_pretty(&report).expect("JSON"));
    let log = booked.clinic.json("SELECT * FROM no_show_logs").await;
    let expected = json!({
        "id": log["id"],
        "appointment_id": booked.visit.to_string(),
        "reason": STAFF,
        "slot_time": "2026-03-02T15:00:00+00:00",
        "timeout_minutes": 15,
        "triggered_at": "2026-03-02T15:10:00+00:00",
        "status_before": "SCHEDULED",
        "visit_start": "2026-03-02T10:00:00",
        "slot_released": true,
        "slot_released_at": "2026-03-02T15:10:00+00:00",
        "slot_id": "1",
        "slot_blocked_before": true,
        "slot_blocked_after": false,
        "undone_at": null,
        "undone_by": null,
        "undo_reason": null,
        "notification_sent": false,
        "created_by": booked.nurse.to_string(),
        "notes": "did not answer",
        "run_id": null,
    });
    assert_eq!(log, expected);
    let slot = booked.clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
    assert_eq!(slot, json!({"is_booked": false, "is_blocked": false, "appointment_id": null}));
    assert_eq!(booked.clinic.count("SELECT count(*) FROM cron_job_runs").await, 0, "no run of a job");
}

#[tokio::test]
async fn the_timeout_that_held_is_kept_for_marks_by_hand_too() {
    for (facility, doctor, kept) in [("20", "15", json!(20)), ("NULL", "15", json!(15)), ("NULL", "NULL", json!(null))]
    {
        let booked = BookedVisit::new().await;
        booked
            .clinic
            .sql(&format!(
                "UPDATE facilities SET no_show_after_minutes = {facility};
                 UPDATE doctors SET slot_duration_minutes = {doctor}"
            ))
            .await;
        // Before the timeout, too: it is how long the job would have waited.
        booked.mark_with(booked.visit, STAFF, booked.nurse, &["--as-of", "2026-03-02T10:01:00-05:00"]).await.expect(0);
        let log = booked.clinic.json("SELECT timeout_minutes FROM no_show_logs").await;
        assert_eq!(log["timeout_minutes"], kept, "{facility} {doctor}");
    }
}

#[tokio::test]
async fn the_report_can_be_read_by_people() {
    let booked = BookedVisit::new().await;
    let more = ["--as-of", AT_1010, "--output", "text"];
    let outcome = booked.mark_with(booked.visit, STAFF, booked.nurse, &more).await.expect(0);
    insta::assert_snapshot!("mark_text", outcome.stdout);
}

#[tokio::test]
async fn a_slot_marked_at_ten_past_is_free_for_another_patient() {
    let booked = BookedVisit::new().await;
    booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0);
    let second = booked.clinic.scheduled(booked.facility, booked.doctor, DAY, "10:00").await;
    let book = "UPDATE doctor_slots SET is_booked = true, appointment_id = $1
                  WHERE doctor_id = $2 AND start_time = '10:00' AND NOT is_booked AND NOT is_blocked";
    assert_eq!(booked.clinic.client.execute(book, &[&second, &booked.doctor]).await.expect("can be booked"), 1);
}

#[tokio::test]
async fn a_slot_is_released_until_it_ends_on_any_earlier_day_and_never_later() {
    for (now, released) in [
        ("2026-02-27T18:00:00-05:00", true),
        ("2026-03-02T00:00:00-05:00", true),
        ("2026-03-02T09:59:59-05:00", true),
        ("2026-03-02T10:14:59.999-05:00", true),
        ("2026-03-02T10:15:00-05:00", false),
        ("2026-03-02T23:59:59-05:00", false),
        // At that time of the next day.
        ("2026-03-03T10:05:00-05:00", false),
        ("2026-03-09T09:00:00-04:00", false),
    ] {
        for reason in [STAFF, CALLED] {
            let booked = BookedVisit::new().await;
            let outcome = booked.mark_with(booked.visit, reason, booked.nurse, &["--as-of", now]).await.expect(0);
            assert_eq!(outcome.report()["slot_released"], json!(released), "{now}");
            let log = "SELECT slot_released, slot_released_at = triggered_at AS then FROM no_show_logs";
            let expected = json!({"slot_released": released, "then": released.then_some(true)});
            assert_eq!(booked.clinic.json(log).await, expected, "{now}");
            let slot = booked.clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
            let free = json!({"is_booked": false, "is_blocked": false, "appointment_id": null});
            let taken = json!({"is_booked": true, "is_blocked": true, "appointment_id": booked.visit});
            assert_eq!(slot, if released { free } else { taken }, "{now}");
        }
    }
}

#[tokio::test]
async fn of_a_visit_without_a_slot_the_time_is_free_again_in_the_same_words_everywhere() {
    let booked = BookedVisit::new().await;
    booked.clinic.sql("DELETE FROM doctor_slots").await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let text = ["--as-of", AT_1010, "--output", "text"];
    let marked = booked.mark_with(booked.visit, STAFF, booked.nurse, &text).await.expect(0).stdout;
    assert!(marked.contains("; its time is free again: it had no slot;"), "{marked}");
    let log = booked.clinic.json("SELECT slot_released, slot_id FROM no_show_logs").await;
    assert_eq!(log, json!({"slot_released": true, "slot_id": null}));
    let explain = ["mark-no-shows", "--explain", &visit, "--as-of", AT_1010, "--output", "text"];
    let explained = booked.clinic.run(&explain).await.expect(0).stdout;
    assert!(explained.contains(", and its time was free again") && !explained.contains("slot was"), "{explained}");
    let undo =
        ["no-show", "undo", &visit, "--reason", "came", "--actor", &nurse, "--as-of", AT_1010, "--output", "text"];
    let undone = booked.clinic.run(&undo).await.expect(0).stdout;
    assert!(undone.contains("; its time is taken again: it had no slot;"), "{undone}");
}

#[tokio::test]
async fn the_slots_own_end_counts_where_the_doctor_has_no_slot_length_or_another() {
    for length in ["NULL", "5", "60"] {
        for (now, released) in [("2026-03-02T10:14:59-05:00", true), ("2026-03-02T10:15:00-05:00", false)] {
            let booked = BookedVisit::new().await;
            booked.clinic.sql(&format!("UPDATE doctors SET slot_duration_minutes = {length}")).await;
            let outcome = booked.mark_with(booked.visit, STAFF, booked.nurse, &["--as-of", now]).await.expect(0);
            assert_eq!(outcome.report()["slot_released"], json!(released), "{length} {now}");
        }
    }
}

#[tokio::test]
async fn a_released_slot_stays_blocked_while_the_doctor_is_away() {
    let booked = BookedVisit::new().await;
    let absence = "INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time)
                   SELECT id, '2026-03-02', '2026-03-02', '08:00', '12:00' FROM doctors";
    booked.clinic.sql(absence).await;
    booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0);
    let slot = booked.clinic.json("SELECT is_booked, is_blocked, appointment_id FROM doctor_slots").await;
    assert_eq!(slot, json!({"is_booked": false, "is_blocked": true, "appointment_id": null}));
}

/// The notices to the patient, without the values that differ from run to run.
async fn notices(clinic: &Clinic) -> String {
    let query =
        "SELECT concat_ws(' | ', channel, status, type, priority, recipient_kind, entity, entity_id, title, body,
                                  metadata, sent_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC', run_id)
                 FROM notifications ORDER BY id";
    let lines: Vec<String> = clinic.rows(query).await.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn the_patient_is_told_as_the_job_tells() {
    let booked = BookedVisit::new().await;
    let own = booked.login(booked.doctor).await;
    booked.mark_with(booked.visit, DOCTOR, own, &["--as-of", "2026-03-02T10:15:00-05:00"]).await.expect(0);
    let by_hand = notices(&booked.clinic).await;
    let other = BookedVisit::new().await;
    let run = other.clinic.mark("2026-03-02T10:15:00-05:00").await.expect(0).report();
    let run_id = format!(" | {}", run["run_id"].as_str().expect("an id"));
    assert_eq!(by_hand, notices(&other.clinic).await.replace(&run_id, ""));
    let sms = booked.clinic.json("SELECT title || body AS text FROM notifications WHERE channel = 'SMS'").await;
    let sms = sms["text"].as_str().expect("a text");
    assert!(!sms.contains("Stone") && !sms.contains("Pat") && !sms.contains("Doe"), "{sms}");
}

#[tokio::test]
async fn a_visit_that_has_not_begun_was_not_missed() {
    let booked = BookedVisit::new().await;
    booked.mark_with(booked.visit, STAFF, booked.nurse, &["--as-of", "2026-03-02T09:59:59-05:00"]).await.expect(0);
    let text = notices(&booked.clinic).await;
    insta::assert_snapshot!("not_begun", text);
    let other = BookedVisit::new().await;
    other.mark_with(other.visit, STAFF, other.nurse, &["--as-of", "2026-03-02T10:00:00-05:00"]).await.expect(0);
    assert!(!text.contains("You missed") && notices(&other.clinic).await.contains("You missed"), "{text}");
}

#[tokio::test]
async fn who_called_and_who_missed_an_earlier_day_is_not_told() {
    for (reason, now, expired) in [
        (CALLED, AT_1010, 0),
        (CALLED, "2026-03-01T10:00:00-05:00", 0),
        (STAFF, "2026-03-03T00:00:00-05:00", 1),
        (STAFF, "2026-03-09T00:00:00-04:00", 1),
    ] {
        let booked = BookedVisit::new().await;
        let report = booked.mark_with(booked.visit, reason, booked.nurse, &["--as-of", now]).await.expect(0).report();
        let counts = (&report["notifications"], &report["notices_expired"]);
        assert_eq!(counts, (&json!(0), &json!(expired)), "{reason} {now}: {report}");
        assert_eq!(booked.clinic.effects().await, (1, 1, 0), "{reason} {now}");
    }
    // The last moment of the day itself.
    let booked = BookedVisit::new().await;
    booked.mark_with(booked.visit, STAFF, booked.nurse, &["--as-of", "2026-03-02T23:59:59-05:00"]).await.expect(0);
    assert_eq!(booked.clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn nobody_is_told_where_there_is_no_phone_or_no_consent() {
    let booked = BookedVisit::new().await;
    booked.clinic.sql("UPDATE patients SET sms_opt_out = true").await;
    let report = booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0).report();
    assert_eq!(report["notices_suppressed"], 1, "{report}");
    let second = booked.book("11:00", "SCHEDULED").await;
    booked.clinic.sql("UPDATE patients SET phone = NULL, sms_opt_out = false").await;
    booked.mark(second, STAFF, booked.nurse).await.expect(0);
    let rows = "SELECT jsonb_agg(jsonb_build_array(entity_id::bigint, channel, status) ORDER BY id) AS n
                FROM notifications";
    let (first, second) = (booked.visit, second);
    let expected = json!([[first, "IN_APP", "SENT"], [first, "SMS", "SUPPRESSED"], [second, "IN_APP", "SENT"]]);
    assert_eq!(booked.clinic.json(rows).await["n"], expected);
}

#[tokio::test]
async fn a_visit_that_is_booked_again_can_be_marked_again() {
    let booked = BookedVisit::new().await;
    booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0);
    booked.clinic.sql("UPDATE appointments SET status = 'SCHEDULED'").await;
    booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0);
    assert_eq!(booked.clinic.effects().await, (1, 2, 4));
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let booked = BookedVisit::new().await;
    let before = state(&booked.clinic).await;
    let more = ["--as-of", AT_1010, "--dry-run"];
    let mut dry = booked.mark_with(booked.visit, STAFF, booked.nurse, &more).await.expect(0).report();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(state(&booked.clinic).await, before);
    dry["dry_run"] = json!(false);
    assert_eq!(booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0).report(), dry);
    refused(booked.mark_with(booked.visit, STAFF, booked.nurse, &more).await, 1, "NOT_MARKABLE");
}

#[tokio::test]
async fn of_two_people_at_once_one_marks_and_the_other_hears_who_did() {
    let booked = BookedVisit::new().await;
    let second = booked.clinic.user(booked.facility, "RECEPTIONIST").await;
    let (visit, first, second) = (booked.visit.to_string(), booked.nurse.to_string(), second.to_string());
    let held = "SELECT FROM appointments FOR NO KEY UPDATE";
    let both = at_once(&booked.clinic, held, &booked.args(&visit, &first), &booked.args(&visit, &second)).await;
    assert_one_marked(&booked, both, &[first, second]).await;
}

#[tokio::test]
async fn two_people_who_start_together_mark_once() {
    let booked = BookedVisit::new().await;
    let second = booked.clinic.user(booked.facility, "RECEPTIONIST").await;
    let (first, second) = (booked.nurse.to_string(), second.to_string());
    for _ in 0..5 {
        booked.clinic.sql("DELETE FROM no_show_logs; UPDATE appointments SET status = 'SCHEDULED'").await;
        let visit = booked.visit.to_string();
        let runs = [&first, &second].map(|actor| booked.clinic.program.start(&booked.args(&visit, actor)));
        let [one, two] = runs.map(program::finish);
        let both = tokio::join!(one, two);
        assert_one_marked(&booked, both.into(), &[first.clone(), second.clone()]).await;
    }
}

async fn assert_one_marked(booked: &BookedVisit, both: [Outcome; 2], actors: &[String; 2]) {
    let winner = usize::from(both[0].code != 0);
    let [first, second] = both;
    let (won, lost) = if winner == 0 { (first, second) } else { (second, first) };
    assert_eq!(won.expect(0).report()["marked_by"], json!(actors[winner]));
    let message = refused(lost, 1, "NOT_MARKABLE");
    assert!(message.contains(&format!("user {}", actors[winner])), "{message}");
    let logs = booked.clinic.json("SELECT count(*) AS n, min(created_by)::text AS by FROM no_show_logs").await;
    assert_eq!(logs, json!({"n": 1, "by": actors[winner]}));
}

#[tokio::test]
async fn the_job_that_comes_first_is_named_to_the_person() {
    let booked = BookedVisit::new().await;
    gate::build(&booked.clinic).await;
    gate::close(&booked.clinic, booked.visit).await;
    let job = booked.clinic.program.start(&["mark-no-shows", "--as-of", "2026-03-02T10:15:00-05:00"]);
    gate::reached(&booked.clinic).await;
    let person = booked.clinic.program.start(&booked.args(&booked.visit.to_string(), &booked.nurse.to_string()));
    booked.clinic.waiting(1).await;
    gate::open(&booked.clinic).await;
    assert_eq!(program::finish(job).await.expect(0).count("marked"), 1);
    let message = refused(program::finish(person).await, 1, "NOT_MARKABLE");
    assert!(message.contains("job") || message.contains("mark-no-shows"), "who did it: {message}");
    assert_eq!(booked.clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn the_job_leaves_a_visit_to_the_person_who_is_at_it() {
    let booked = BookedVisit::new().await;
    gate::build(&booked.clinic).await;
    gate::close(&booked.clinic, booked.visit).await;
    let person = booked.clinic.program.start(&booked.args(&booked.visit.to_string(), &booked.nurse.to_string()));
    gate::reached(&booked.clinic).await;
    let job = booked.clinic.mark("2026-03-02T10:15:00-05:00").await.expect(0);
    assert_eq!(job.report()["skipped_by_reason"], json!({"locked": 1}));
    gate::open(&booked.clinic).await;
    program::finish(person).await.expect(0);
    assert_eq!(booked.clinic.mark("2026-03-02T10:20:00-05:00").await.expect(0).count("scanned"), 0);
    let log = booked.clinic.json("SELECT reason, created_by FROM no_show_logs").await;
    assert_eq!(log, json!({"reason": STAFF, "created_by": booked.nurse.to_string()}));
    assert_eq!(booked.clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn a_row_that_the_application_keeps_is_said_to_be_locked() {
    for held in ["SELECT FROM appointments FOR NO KEY UPDATE", "SELECT FROM doctor_slots FOR NO KEY UPDATE"] {
        let booked = BookedVisit::new().await;
        let application = application(&booked.clinic, held).await;
        booked.refuse(booked.visit, STAFF, booked.nurse, 1, "LOCKED").await;
        application.batch_execute("COMMIT").await.expect("it lives");
        booked.mark(booked.visit, STAFF, booked.nurse).await.expect(0);
    }
}

#[tokio::test]
async fn a_row_that_the_application_lets_go_is_judged_as_it_is_then() {
    for (change, code) in [("notes = 'x'", 0), ("status = 'COMPLETED'", 1)] {
        let booked = BookedVisit::new().await;
        let application = application(&booked.clinic, &format!("UPDATE appointments SET {change}")).await;
        let person = booked.clinic.program.start(&booked.args(&booked.visit.to_string(), &booked.nurse.to_string()));
        booked.clinic.waiting(1).await;
        application.batch_execute("COMMIT").await.expect("it lives");
        let outcome = program::finish(person).await.expect(code);
        if code == 1 {
            let message = refused(outcome, 1, "NOT_MARKABLE");
            assert!(message.contains("COMPLETED"), "{message}");
            assert_eq!(booked.clinic.effects().await, (0, 0, 0));
        }
    }
}

#[tokio::test]
async fn a_doctor_who_lost_the_visit_while_waiting_for_it_marks_nothing() {
    let booked = BookedVisit::new().await;
    let (visit, own) = (booked.visit.to_string(), booked.login(booked.doctor).await.to_string());
    let colleague = booked.clinic.doctor(booked.facility, Some(15)).await;
    let application = application(&booked.clinic, &format!("UPDATE appointments SET doctor_id = {colleague}")).await;
    let args = ["no-show", "mark", &visit, "--reason", DOCTOR, "--actor", &own, "--as-of", AT_1010];
    let person = booked.clinic.program.start(&args);
    booked.clinic.waiting(1).await;
    application.batch_execute("COMMIT").await.expect("it lives");
    program::finish(person).await.expect(2);
    assert_eq!(booked.clinic.effects().await, (0, 0, 0));
}

#[tokio::test]
async fn a_visit_that_was_moved_meanwhile_is_never_logged_with_its_old_time() {
    let booked = BookedVisit::new().await;
    let application = application(&booked.clinic, "UPDATE appointments SET start_time = '16:00'").await;
    let person = booked.clinic.program.start(&booked.args(&booked.visit.to_string(), &booked.nurse.to_string()));
    booked.clinic.waiting(1).await;
    application.batch_execute("COMMIT").await.expect("it lives");
    // Whether it is marked or refused: the log must not say that 10:00 was missed, nor the patient read it.
    program::finish(person).await;
    let old = "SELECT (SELECT count(*) FROM no_show_logs WHERE slot_time = '2026-03-02T15:00Z')
                    + (SELECT count(*) FROM notifications WHERE body LIKE '%10:00%')";
    assert_eq!(booked.clinic.count(old).await, 0);
}

#[tokio::test]
async fn a_mark_whose_reply_was_lost_is_a_mark() {
    let booked = BookedVisit::new().await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let report = through(Act::LoseReply, &booked.clinic, &booked.args(&visit, &nurse)).await.expect(0).report();
    assert_eq!((&report["ok"], &report["slot_released"]), (&json!(true), &json!(true)), "{report}");
    assert_eq!(booked.clinic.effects().await, (1, 1, 2));
}

#[tokio::test]
async fn a_mark_that_never_arrived_is_not_said_to_be_one() {
    let booked = BookedVisit::new().await;
    let before = state(&booked.clinic).await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let outcome = through(Act::LoseRequest, &booked.clinic, &booked.args(&visit, &nurse)).await;
    let message = refused(outcome, 1, "CONNECTION");
    assert!(message.contains("nothing was changed"), "{message}");
    assert_eq!(state(&booked.clinic).await, before);
}

#[tokio::test]
async fn notes_and_patients_come_out_nowhere() {
    let booked = BookedVisit::new().await;
    plant(&booked.clinic).await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let mark = [&booked.args(&visit, &nurse)[..], &["--notes", "CANARY-M"]].concat();
    let dry = [&mark[..], &["--dry-run"]].concat();
    let no_actor = ["no-show", "mark", &visit, "--reason", STAFF, "--notes", "CANARY-M"];
    let bad = ["no-show", "mark", &visit, "--reason", "BAD", "--notes", "CANARY-M", "--actor", &nurse];
    // The database quotes the failing row in its errors, and whatever a trigger says.
    booked.clinic.sql("ALTER TABLE no_show_logs ADD CONSTRAINT no_notes CHECK (notes IS NULL)").await;
    let mut out = everything(&booked.clinic, &[&mark]).await;
    assert!(out.contains("23514") && out.contains("no_notes"), "{out}");
    booked.clinic.sql("ALTER TABLE no_show_logs DROP CONSTRAINT no_notes").await;
    out += &everything(&booked.clinic, &[&dry, &no_actor, &bad, &mark, &mark]).await;
    assert!(out.contains("is a no-show"), "it was marked: {out}");
    out += &everything(&booked.clinic, &[&["no-show", "logs"], &["no-show", "stats", "--from", DAY]]).await;
    assert!(out.contains("has_notes"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
    assert_eq!(booked.clinic.json("SELECT notes FROM no_show_logs").await, json!({"notes": "CANARY-M"}));
    let told = "SELECT count(*) FROM notifications n WHERE to_jsonb(n)::text LIKE '%CANARY-_%'
                AND (channel = 'SMS' OR to_jsonb(n)::text LIKE '%CANARY-M%')";
    assert_eq!(booked.clinic.count(told).await, 0, "the patient does not read them either");
}

#[tokio::test]
async fn words_of_notes_that_were_not_quoted_are_not_repeated() {
    let booked = BookedVisit::new().await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let args = booked.args(&visit, &nurse);
    for notes in [&["--notes", "Pat", "CANARY", "called"][..], &["--notes", "--CANARY"], &["--notes", "-CANARY"]] {
        let outcome = booked.clinic.run(&[&args[..], notes, &["--dry-run"]].concat()).await;
        assert!(!format!("{outcome:?}").contains("CANARY"), "{notes:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_in_text_is_said_on_stderr_alone() {
    let booked = BookedVisit::new().await;
    let visit = booked.book("11:00", "COMPLETED").await;
    let more = ["--as-of", AT_1010, "--output", "text"];
    let outcome = booked.mark_with(visit, STAFF, booked.nurse, &more).await.expect(1);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("NOT_MARKABLE") && outcome.stderr.contains("COMPLETED"), "{outcome:?}");
}

/// Two facilities of two doctors: visits on three days, with logs.
struct History {
    clinic: Clinic,
    facilities: [i64; 2],
    doctors: [i64; 3],
}

impl History {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let (first, doctor) = clinic.new_york(15).await;
        let colleague = clinic.doctor(first, Some(15)).await;
        let (second, other) = clinic.new_york(15).await;
        Self { clinic, facilities: [first, second], doctors: [doctor, colleague, other] }
    }

    /// A visit of the n-th doctor at 23:50: in New York that day, in UTC the next.
    async fn visit(&self, doctor: usize, date: &str, status: &str) -> i64 {
        let facility = self.facilities[usize::from(doctor == 2)];
        let (doctor, time) = (self.doctors[doctor], "23:50");
        let checked_in = (status == "CHECKED_IN").then_some("2026-03-02T08:55-05");
        self.clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await
    }

    async fn log(&self, visit: i64, reason: &str, at: &str, released: bool) {
        let by: i64 = self.clinic.row("SELECT min(n(id)) FROM users", &[]).await.get(0);
        let auto = reason == "AUTO_TIMEOUT";
        let insert = "INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at,
                                                slot_released, slot_released_at, created_by, notes)
                      SELECT id::text, $2, (appointment_date + start_time::text::time) AT TIME ZONE 'America/New_York',
                             $3, $4::text::timestamptz, $5, CASE WHEN $5 THEN $4::text::timestamptz END,
                             k($6)::text, $7
                      FROM appointments WHERE id = k($1) RETURNING id";
        let (timeout, by, notes) = (auto.then_some(15), (!auto).then_some(by), (!auto).then_some("a note"));
        self.clinic.row(insert, &[&visit, &reason, &timeout, &at, &released, &by, &notes]).await;
    }

    async fn missed(&self, doctor: usize, date: &str, reason: &str, at: &str) -> i64 {
        let visit = self.visit(doctor, date, "NO_SHOW").await;
        self.log(visit, reason, at, reason != "AUTO_TIMEOUT").await;
        visit
    }

    async fn filled() -> Self {
        Self::filled_of(Kind::Bigint).await
    }

    async fn filled_of(kind: Kind) -> Self {
        let history = Self::of(kind).await;
        // In the order in which they were marked, which is not that of their days.
        history.missed(0, "2026-03-03", CALLED, "2026-03-02T15:00:00Z").await;
        history.missed(1, "2026-03-01", STAFF, "2026-03-02T16:00:00Z").await;
        history.missed(0, "2026-03-02", "AUTO_TIMEOUT", "2026-03-03T05:05:00Z").await;
        history.missed(2, "2026-03-03", DOCTOR, "2026-03-04T05:05:00Z").await;
        history
    }

    async fn read(&self, command: &str, more: &[&str]) -> Value {
        let args = [&["no-show", command, "--as-of", "2026-03-10T12:00:00Z"], more].concat();
        self.clinic.run(&args).await.expect(0).report()
    }

    /// The visits of the logs that it lists.
    async fn logs(&self, more: &[&str]) -> Vec<i64> {
        let report = self.read("logs", more).await;
        let logs = report["logs"].as_array().expect("a list");
        logs.iter().map(|log| self.number(&log["appointment_id"])).collect()
    }

    /// The number of a key.
    fn number(&self, key: &Value) -> i64 {
        let key = key.as_str().expect("a key");
        (1..1000).find(|number| self.clinic.kind.text(*number) == key).expect("a key of the clinic")
    }

    /// Visits, no-shows, automatic, manual, slots released.
    async fn total(&self, more: &[&str]) -> [u64; 5] {
        numbers(&self.read("stats", more).await["total"])
    }
}

fn numbers(row: &Value) -> [u64; 5] {
    ["visits", "no_shows", "automatic", "manual", "slots_released"].map(|key| row[key].as_u64().expect("a count"))
}

#[tokio::test]
async fn logs_are_listed_the_newest_first() {
    let history = History::filled().await;
    assert_eq!(history.logs(&[]).await, [4, 3, 2, 1]);
    assert_eq!(history.logs(&["--limit", "2"]).await, [4, 3]);
    assert_eq!(history.logs(&["--limit", "4"]).await, [4, 3, 2, 1]);
    history.log(1, STAFF, "2026-03-05T12:00:00Z", false).await;
    assert_eq!(history.logs(&[]).await, [1, 4, 3, 2, 1], "a visit that was missed twice");
    let report = history.read("logs", &[]).await;
    insta::assert_snapshot!("logs", serde_json::to_string_pretty(&report).expect("JSON"));
    let text = history.clinic.run(&["no-show", "logs", "--output", "text"]).await.expect(0);
    insta::assert_snapshot!("logs_text", text.stdout);
}

#[tokio::test]
async fn logs_are_found_by_facility_doctor_day_and_reason() {
    let history = History::filled().await;
    let [first, second] = history.facilities.map(|id| id.to_string());
    let [doctor, colleague, other] = history.doctors.map(|id| id.to_string());
    for (filter, found) in [
        (&["--facility", &first][..], &[3, 2, 1][..]),
        (&["--facility", &second], &[4]),
        (&["--doctor", &doctor], &[3, 1]),
        (&["--doctor", &colleague], &[2]),
        (&["--facility", &second, "--doctor", &doctor], &[]),
        (&["--facility", &second, "--doctor", &other], &[4]),
        (&["--reason", "AUTO_TIMEOUT"], &[3]),
        (&["--reason", STAFF], &[2]),
        (&["--reason", DOCTOR], &[4]),
        (&["--reason", CALLED], &[1]),
        // The facility's day, which is not the day in UTC, nor the one on which the visit was marked.
        (&["--from", "2026-03-01"], &[4, 3, 2, 1]),
        (&["--from", "2026-03-02"], &[4, 3, 1]),
        (&["--from", "2026-03-03"], &[4, 1]),
        (&["--from", "2026-03-04"], &[]),
        (&["--to", "2026-02-28"], &[]),
        (&["--to", "2026-03-01"], &[2]),
        (&["--to", "2026-03-02"], &[3, 2]),
        (&["--to", "2026-03-03"], &[4, 3, 2, 1]),
        (&["--from", "2026-03-02", "--to", "2026-03-02"], &[3]),
        (&["--from", "2026-03-03", "--doctor", &doctor, "--reason", CALLED], &[1]),
    ] {
        assert_eq!(history.logs(filter).await, found, "{filter:?}");
    }
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_refused() {
    let history = History::new().await;
    assert_eq!(history.logs(&[]).await, [0; 0]);
    for filter in [
        ["--from", "yesterday"],
        ["--to", "2026-02-30"],
        ["--facility", "x"],
        ["--doctor", "-1"],
        ["--reason", "LATE"],
        ["--limit", "0"],
    ] {
        history.clinic.run(&[&["no-show", "logs"], &filter[..]].concat()).await.expect(2);
    }
}

#[tokio::test]
async fn a_list_says_when_there_are_more_than_it_shows() {
    let history = History::new().await;
    let visit = history.visit(0, DAY, "NO_SHOW").await;
    for minute in 0..201 {
        history.log(visit, STAFF, &format!("2026-03-02T{:02}:{:02}:00Z", minute / 60, minute % 60), false).await;
    }
    assert_eq!(history.logs(&[]).await.len(), 200);
    assert_eq!(history.logs(&["--limit", "201"]).await.len(), 201);
    let more = async |limit| history.read("logs", &["--limit", limit]).await["more"].clone();
    assert_eq!([more("200").await, more("201").await], [true, false]);
    let text = history.clinic.run(&["no-show", "logs", "--output", "text"]).await.expect(0).stdout;
    assert!(text.ends_with("There are more than these 200; a larger --limit shows more.\n"), "{text}");
}

/// 13 visits of which 9 count: 5 no-shows.
async fn counted() -> History {
    let history = History::filled().await;
    for (doctor, date, status) in [
        (0, "2026-03-02", "COMPLETED"),
        (0, "2026-03-02", "CHECKED_IN"),
        (1, "2026-03-03", "IN_PROGRESS"),
        (2, "2026-03-03", "COMPLETED"),
        // Nobody knows yet whether they come.
        (0, "2026-03-02", "SCHEDULED"),
        (0, "2026-03-02", "CONFIRMED"),
        (1, "2026-03-02", "SCHEDULED"),
    ] {
        history.visit(doctor, date, status).await;
    }
    history.missed(1, "2026-03-07", "AUTO_TIMEOUT", "2026-03-08T05:05:00Z").await;
    let cancelled = history.visit(0, "2026-03-02", "SCHEDULED").await;
    let foreign = history.visit(0, "2026-03-02", "COMPLETED").await;
    let cancel = "status = 'CANCELLED', cancelled_at = created_at";
    let source = "source = 'PRACTICEQ', external_id = 'x'";
    for (visit, set) in [(cancelled, cancel), (foreign, source)] {
        history.clinic.sql(&format!("UPDATE appointments SET {set} WHERE id = {visit}")).await;
    }
    history
}

#[tokio::test]
async fn the_numbers_are_those_of_a_hand_count() {
    let history = counted().await;
    let report = history.read("stats", &["--from", "2026-03-01"]).await;
    insta::assert_snapshot!("stats", serde_json::to_string_pretty(&report).expect("JSON"));
    assert_eq!(numbers(&report["total"]), [9, 5, 2, 3, 3]);
    assert_eq!(report["total"]["no_show_rate"], 0.5556);
    let [first, second] = history.facilities.map(|id| id.to_string());
    let [doctor, colleague, other] = history.doctors.map(|id| id.to_string());
    for (group, key, expected) in [
        ("by_facility", "facility_id", &[(json!(first), [7, 4, 2, 2, 2]), (json!(second), [2, 1, 0, 1, 1])][..]),
        (
            "by_doctor",
            "doctor_id",
            &[(json!(doctor), [4, 2, 1, 1, 1]), (json!(colleague), [3, 2, 1, 1, 1]), (json!(other), [2, 1, 0, 1, 1])],
        ),
        (
            "by_weekday",
            "weekday",
            &[
                (json!("Sun"), [1, 1, 0, 1, 1]),
                (json!("Mon"), [3, 1, 1, 0, 0]),
                (json!("Tue"), [4, 2, 0, 2, 2]),
                (json!("Sat"), [1, 1, 1, 0, 0]),
            ],
        ),
    ] {
        let rows = report[group].as_array().expect("a list");
        assert_eq!(rows.len(), expected.len(), "{group}: {rows:?}");
        for (id, counts) in expected {
            let row = rows.iter().find(|row| row[key] == *id).unwrap_or_else(|| panic!("{group} {id}: {rows:?}"));
            assert_eq!(numbers(row), *counts, "{group} {id}");
        }
    }
}

#[tokio::test]
async fn numbers_are_of_the_facility_the_doctor_and_the_days_asked_for() {
    let history = counted().await;
    let [_, second] = history.facilities.map(|id| id.to_string());
    let [doctor, ..] = history.doctors.map(|id| id.to_string());
    let all = ["--from", "2026-03-01"];
    for (filter, expected) in [
        (&["--facility", &second][..], [2, 1, 0, 1, 1]),
        (&["--doctor", &doctor], [4, 2, 1, 1, 1]),
        (&["--facility", &second, "--doctor", &doctor], [0; 5]),
        (&["--to", "2026-03-01"], [1, 1, 0, 1, 1]),
        (&["--to", "2026-03-02"], [4, 2, 1, 1, 1]),
    ] {
        assert_eq!(history.total(&[&all[..], filter].concat()).await, expected, "{filter:?}");
    }
    assert_eq!(history.total(&["--from", "2026-03-03"]).await, [5, 3, 1, 2, 2]);
    assert_eq!(history.total(&["--from", "2026-03-04"]).await, [1, 1, 1, 0, 0]);
    assert_eq!(history.total(&["--from", "2026-03-08"]).await, [0; 5]);
}

#[tokio::test]
async fn numbers_are_of_the_last_thirty_days_unless_told() {
    let history = History::new().await;
    // As of March 10.
    for date in ["2026-02-07", "2026-02-09", "2026-03-09"] {
        history.missed(0, date, STAFF, "2026-03-09T05:00:00Z").await;
    }
    assert_eq!(history.total(&[]).await[0], 2);
    assert_eq!(history.total(&["--from", "2026-02-07"]).await[0], 3);
}

#[tokio::test]
async fn where_nothing_is_nothing_is_counted() {
    let history = History::new().await;
    let report = history.read("stats", &[]).await;
    insta::assert_snapshot!("stats_empty", serde_json::to_string_pretty(&report).expect("JSON"));
    let text = history.clinic.run(&["no-show", "stats", "--output", "text"]).await.expect(0);
    assert!(!text.stdout.contains("NaN") && !text.stdout.trim().is_empty(), "{text:?}");
}

#[tokio::test]
async fn a_visit_that_was_missed_twice_is_one_no_show_and_one_that_was_kept_after_all_is_none() {
    let history = History::new().await;
    let twice = history.missed(0, DAY, "AUTO_TIMEOUT", "2026-03-03T05:05:00Z").await;
    history.log(twice, STAFF, "2026-03-03T05:10:00Z", false).await;
    let kept = history.missed(0, DAY, STAFF, "2026-03-03T05:05:00Z").await;
    history.clinic.sql(&format!("UPDATE appointments SET status = 'COMPLETED' WHERE id = {kept}")).await;
    let [visits, no_shows, automatic, manual, _] = history.total(&["--from", DAY]).await;
    assert_eq!((visits, no_shows, automatic + manual), (2, 1, 1));
}

#[tokio::test]
async fn people_see_bars() {
    let history = counted().await;
    let args = ["no-show", "stats", "--from", "2026-03-01", "--output", "text"];
    let text = history.clinic.run(&args).await.expect(0).stdout;
    assert!(text.contains('█'), "{text}");
    insta::assert_snapshot!("stats_text", text);
}

#[tokio::test]
async fn an_id_that_is_not_there_and_a_time_that_ends_before_it_begins_are_refused() {
    let clinic = Clinic::new().await;
    for (args, code) in [
        (&["no-show", "logs", "--facility", "4711"][..], "UNKNOWN_FACILITY"),
        (&["no-show", "stats", "--facility", "4711"], "UNKNOWN_FACILITY"),
        (&["no-show", "logs", "--doctor", "4711"], "UNKNOWN_DOCTOR"),
        (&["no-show", "stats", "--from", "2026-03-03", "--to", "2026-03-02"], "EMPTY_PERIOD"),
        (&["alerts", "list", "--facility", "4711"], "UNKNOWN_FACILITY"),
    ] {
        refused(clinic.run(args).await, 2, code);
    }
    // The days before --to, where that is long ago.
    let report = clinic.run(&["no-show", "stats", "--to", "2026-03-31"]).await.expect(0).report();
    assert_eq!(report["from"], "2026-03-01");
}

#[tokio::test]
async fn a_commit_that_is_not_answered_is_asked_for() {
    let booked = BookedVisit::new().await;
    let (visit, nurse) = (booked.visit.to_string(), booked.nurse.to_string());
    let outcome = through(Act::Hold(0), &booked.clinic, &booked.args(&visit, &nurse)).await.expect(0);
    assert_eq!(outcome.report()["status"], "NO_SHOW", "{outcome:?}");
    assert_eq!(booked.clinic.count("SELECT count(*) FROM no_show_logs").await, 1);
}

#[tokio::test]
async fn people_mark_and_look_whatever_the_keys_are() {
    for kind in [Kind::Uuid, Kind::TextViews] {
        let booked = BookedVisit::of(kind).await;
        let own = booked.login(booked.doctor).await;
        booked.refuse(booked.visit, DOCTOR, booked.nurse, 2, "ACTOR_NOT_ALLOWED").await;
        let report = booked.mark(booked.visit, DOCTOR, own).await.expect(0).report();
        assert_eq!(report["appointment_id"], json!(kind.text(booked.visit)), "{kind:?}");
        assert_eq!((&report["marked_by"], &report["slot_released"]), (&json!(kind.text(own)), &json!(true)));
        let message = booked.refuse(booked.visit, STAFF, booked.nurse, 1, "NOT_MARKABLE").await;
        assert!(message.contains(&format!("user {} ({DOCTOR})", kind.text(own))), "{message}");
        for unknown in ["7", "k", "no key", "{"] {
            let args = ["no-show", "mark", unknown, "--reason", STAFF, "--actor", &kind.text(booked.nurse)];
            let message = refused(booked.clinic.run(&args).await, 2, "UNKNOWN_APPOINTMENT");
            assert!(message.contains(&format!("there is no visit {unknown}")), "{message}");
        }
        let history = History::filled_of(kind).await;
        let [first, second] = history.facilities.map(|id| kind.text(id));
        let colleague = kind.text(history.doctors[1]);
        for (filter, found) in [
            (&[][..], &[4, 3, 2, 1][..]),
            (&["--facility", &first], &[3, 2, 1]),
            (&["--facility", &second], &[4]),
            (&["--doctor", &colleague], &[2]),
            (&["--from", "2026-03-02", "--to", "2026-03-02"], &[3]),
        ] {
            assert_eq!(history.logs(filter).await, found, "{kind:?} {filter:?}");
        }
        let report = history.read("stats", &["--from", "2026-03-01"]).await;
        let facilities: Vec<&Value> = report["by_facility"].as_array().expect("a list").iter().collect();
        assert_eq!(facilities[0]["facility_id"], json!(first), "{kind:?}");
        assert_eq!(facilities.iter().map(|row| numbers(row)[1]).collect::<Vec<_>>(), [3, 1], "{kind:?}");
        assert_eq!(history.total(&["--doctor", &colleague]).await, [1, 1, 0, 1, 1], "{kind:?}");
    }
}

#[tokio::test]
async fn a_visit_whose_start_cannot_be_read_is_not_marked_and_that_is_said() {
    let booked = BookedVisit::of(Kind::TextViews).await;
    booked.clinic.sql("UPDATE appointments SET start_time = '9h'").await;
    let message = booked.refuse(booked.visit, STAFF, booked.nurse, 1, "UNREADABLE_TIME").await;
    assert!(message.contains(&booked.clinic.kind.text(booked.visit)) && !message.contains("9h"), "{message}");
    booked
        .clinic
        .sql(
            "ALTER TABLE app.facilities DROP CONSTRAINT facilities_time_zone_known;
             ALTER TABLE app.facilities ALTER time_zone DROP NOT NULL;
             UPDATE facilities SET time_zone = NULL",
        )
        .await;
    booked.refuse(booked.visit, STAFF, booked.nurse, 1, "UNKNOWN_TIME_ZONE").await;
}

#[tokio::test]
async fn what_a_view_gives_in_place_of_a_doctor_or_a_facility_is_no_reason_to_panic() {
    let booked = BookedVisit::of(Kind::TextViews).await;
    let view = |columns: &str| {
        format!(
            "ALTER TABLE app.appointments ALTER doctor_id DROP NOT NULL, ALTER facility_id DROP NOT NULL;
             CREATE OR REPLACE VIEW appointments AS
             SELECT id, {columns}, department_id, patient_id, source, external_id, appointment_date, start_time, status,
                    checked_in_at, vitals_recorded_at, cancelled_at, cancelled_by, cancelled_reason, notes, created_at,
                    updated_at, row_lock
             FROM app.appointments"
        )
    };
    booked.clinic.sql(&view("facility_id, NULL::text AS doctor_id")).await;
    let message = refused(booked.mark(booked.visit, STAFF, booked.nurse).await, 1, "NOT_MARKABLE");
    assert!(message.contains("has no doctor"), "{message}");
    booked.clinic.sql(&view("NULL::text AS facility_id, doctor_id")).await;
    let message = refused(booked.mark(booked.visit, STAFF, booked.nurse).await, 1, "NOT_MARKABLE");
    assert!(message.contains("has no facility"), "{message}");
}

#[tokio::test]
async fn the_log_of_a_deleted_visit_is_listed_unless_something_of_the_visit_is_asked_for() {
    for kind in Kind::ALL {
        let history = History::filled_of(kind).await;
        history.clinic.sql("DELETE FROM appointments WHERE id = k(3)").await;
        assert_eq!(history.logs(&[]).await, [4, 3, 2, 1], "{kind:?}");
        assert_eq!(history.logs(&["--reason", "AUTO_TIMEOUT"]).await, [3], "{kind:?}");
        let log = &history.read("logs", &["--limit", "2"]).await["logs"][1];
        let shown = ["appointment_id", "facility_id", "doctor_id", "patient_id"].map(|key| log[key].clone());
        assert_eq!(shown, [json!(kind.text(3)), json!(null), json!(null), json!(null)], "{kind:?}");
        let [facility, doctor] = [history.facilities[0], history.doctors[0]].map(|id| kind.text(id));
        for filter in [["--facility", &facility], ["--doctor", &doctor], ["--from", DAY], ["--to", DAY]] {
            assert!(!history.logs(&filter).await.contains(&3), "{kind:?} {filter:?}");
        }
        history.clinic.run(&["no-show", "logs", "--output", "text"]).await.expect(0);
        assert_eq!(history.total(&["--from", "2026-03-01"]).await[1], 3, "visits that are there are counted");
        refused(
            history.clinic.run(&["no-show", "mark", &kind.text(3), "--reason", STAFF, "--actor", &kind.text(1)]).await,
            2,
            "UNKNOWN_APPOINTMENT",
        );
    }
}

#[tokio::test]
async fn logs_are_found_on_later_pages() {
    let history = History::filled().await;
    // 2,500 newer rows of the visit at the second facility.
    let again = "INSERT INTO no_show_logs (appointment_id, reason, slot_time, triggered_at, slot_released, created_by)
                 SELECT '4', 'MANUAL_STAFF', now(), now(), false, '1' FROM generate_series(1, 2500)";
    history.clinic.sql(again).await;
    let [first, second] = history.facilities.map(|id| id.to_string());
    assert_eq!(history.logs(&["--facility", &first]).await, [3, 2, 1]);
    assert_eq!(history.logs(&["--facility", &first, "--limit", "2"]).await, [3, 2]);
    assert_eq!(history.logs(&["--facility", &second, "--limit", "10000"]).await.len(), 2501);
    assert_eq!(history.logs(&["--limit", "2502"]).await.len(), 2502);
    assert_eq!(history.logs(&["--limit", "10000"]).await.len(), 2504);
}
