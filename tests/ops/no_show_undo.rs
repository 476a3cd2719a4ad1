//! `rounds no-show undo`: what a person takes back, what stays, and who may.

use serde_json::{Value, json};

use super::no_show::BookedVisit;
use super::{ROLES, application, at_once, everything, group_user, plant, refused, state};
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

const AT_1012: &str = "2026-03-02T10:12:00-05:00";
const AT_1020: &str = "2026-03-02T10:20:00-05:00";

/// What undoing changes: status, slot and notices of the visit.
const SEEN: &str = "SELECT a.status, s.is_booked, s.is_blocked, s.appointment_id,
                           (SELECT string_agg(n.status, ' ' ORDER BY n.channel) FROM notifications n) AS notices
                    FROM appointments a LEFT JOIN doctor_slots s ON n(s.id) = 1 WHERE n(a.id) = 1";

impl BookedVisit {
    async fn undo_with(&self, what: &[&str], actor: i64, more: &[&str]) -> Outcome {
        let actor = self.clinic.kind.text(actor);
        let args = [&["no-show", "undo"], what, &["--reason", "came after all", "--actor", &actor], more].concat();
        self.clinic.run(&args).await
    }

    /// At 10:20 of that day.
    async fn undo(&self, visit: i64, actor: i64) -> Outcome {
        self.undo_with(&[&self.clinic.kind.text(visit)], actor, &["--as-of", AT_1020]).await
    }

    async fn undo_run(&self, run: &str, actor: i64, more: &[&str]) -> Outcome {
        self.undo_with(&["--run", run], actor, &[&["--as-of", AT_1020], more].concat()).await
    }

    /// The job waits five minutes and comes at 10:12, when the slot lasts still. Returns the id of its run.
    async fn job(&self) -> String {
        self.clinic.sql("UPDATE facilities SET no_show_after_minutes = 5").await;
        let report = self.clinic.mark(AT_1012).await.expect(0).report();
        report["run_id"].as_str().expect("an id").to_owned()
    }

    async fn refuse_undo(&self, visit: i64, code: i32, error_code: &str) -> String {
        let before = state(&self.clinic).await;
        let message = refused(self.undo(visit, self.nurse).await, code, error_code);
        assert_eq!(state(&self.clinic).await, before, "nothing was changed: {error_code}");
        message
    }
}

#[tokio::test]
async fn all_that_a_mark_did_is_taken_back_and_the_job_leaves_it_so() {
    for kind in Kind::ALL {
        for status in ["SCHEDULED", "CONFIRMED"] {
            let booked = BookedVisit::of(kind).await;
            let clinic = &booked.clinic;
            clinic.sql(&format!("UPDATE appointments SET status = '{status}'")).await;
            let before = clinic.json(SEEN).await;
            booked.job().await;
            let marked = clinic.json(SEEN).await;
            assert_eq!((&marked["status"], &marked["is_booked"]), (&json!("NO_SHOW"), &json!(false)), "{kind:?}");
            let report = booked.undo(1, booked.nurse).await.expect(0).report();
            let mut after = clinic.json(SEEN).await;
            assert_eq!(after["notices"], json!("SENT EXPIRED"), "{kind:?}: one was read, the SMS is withdrawn");
            after["notices"] = json!(null);
            assert_eq!(after, before, "{kind:?} {status}");
            let counts = ["undone", "slots_booked", "notices_expired", "notices_told"].map(|key| report[key].as_u64());
            assert_eq!(counts, [1, 1, 1, 1].map(Some), "{report}");
            let log = clinic.json("SELECT status_before, undone_by, undone_at, undo_reason FROM no_show_logs").await;
            let nurse = kind.text(booked.nurse);
            let expected = json!({"status_before": status, "undone_by": nurse,
                                  "undone_at": "2026-03-02T15:20:00+00:00", "undo_reason": "came after all"});
            assert_eq!(log, expected, "{kind:?}");
            let acts = "SELECT count(*) FROM operator_actions WHERE command = 'no-show'";
            assert_eq!(clinic.count(acts).await, 1, "{kind:?}");
            // The job leaves it to the person, run after run, until the visit is moved.
            for _ in 0..2 {
                let outcome = clinic.mark("2026-03-02T10:25:00-05:00").await.expect(0);
                assert_eq!(outcome.report()["skipped_by_reason"], json!({"undone": 1}), "{kind:?}");
                assert_eq!((outcome.count("scanned"), outcome.count("marked")), (1, 0), "{kind:?}");
            }
            clinic.sql("UPDATE appointments SET start_time = '10:30'").await;
            assert_eq!(clinic.mark("2026-03-02T10:35:00-05:00").await.expect(0).count("marked"), 1, "{kind:?}");
            // That mark is another one, which can be undone, too.
            booked.undo_with(&[&kind.text(1)], booked.nurse, &["--as-of", "2026-03-02T10:36:00-05:00"]).await.expect(0);
        }
    }
}

#[tokio::test]
async fn a_mark_by_hand_is_undone_and_the_report_can_be_read() {
    let booked = BookedVisit::new().await;
    let visit = booked.book("10:05", "CHECKED_IN").await;
    booked.mark(visit, "MANUAL_STAFF", booked.nurse).await.expect(0);
    let dry = booked.undo_with(&[&visit.to_string()], booked.nurse, &["--as-of", AT_1020, "--dry-run"]).await;
    assert_eq!(dry.expect(0).report()["dry_run"], true);
    assert_eq!(booked.clinic.status(visit).await, "NO_SHOW", "a dry run changes nothing");
    let more = ["--as-of", AT_1020, "--output", "text"];
    let text = booked.undo_with(&[&visit.to_string()], booked.nurse, &more).await.expect(0).stdout;
    insta::assert_snapshot!("undo_text", text);
    assert_eq!(booked.clinic.status(visit).await, "CHECKED_IN");
    // It can be marked once more, which people see as two rows.
    booked.mark(visit, "MANUAL_STAFF", booked.nurse).await.expect(0);
    let logs = booked.clinic.run(&["no-show", "logs"]).await.expect(0).report();
    let undone = |row: usize| logs["logs"][row]["undone_by"].clone();
    assert_eq!((undone(0), undone(1)), (json!(null), json!(booked.nurse.to_string())), "{logs}");
    let text = booked.clinic.run(&["no-show", "logs", "--output", "text"]).await.expect(0).stdout;
    assert!(text.contains(&format!("by user {}", booked.nurse)), "{text}");
}

#[tokio::test]
async fn a_slot_that_is_not_free_any_more_stays_and_that_is_said() {
    let other = "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
                 SELECT facility_id, doctor_id, patient_id, appointment_date, start_time FROM appointments";
    let taken = format!("{other}; UPDATE doctor_slots SET is_booked = true, appointment_id = k(2)");
    let colleague = "INSERT INTO doctors (facility_id, first_name, last_name) SELECT id, 'B', 'B' FROM facilities;
                     UPDATE appointments SET doctor_id = k(2)";
    let second = "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
                  SELECT doctor_id, slot_date, '12:00', '12:15', true, k(1) FROM doctor_slots";
    for kind in Kind::ALL {
        for (change, fate) in [
            (&*taken, "taken"),
            ("UPDATE doctor_slots SET is_booked = true", "taken"),
            ("UPDATE doctor_slots SET is_blocked = true", "blocked"),
            ("DELETE FROM doctor_slots", "deleted"),
            (colleague, "other_doctor"),
            (second, "other_slot"),
            ("UPDATE doctor_slots SET slot_date = slot_date + 1", "moved"),
            ("UPDATE doctor_slots SET start_time = '12:00', end_time = '12:15'", "moved"),
        ] {
            let booked = BookedVisit::of(kind).await;
            booked.job().await;
            booked.clinic.sql(change).await;
            let slots = "SELECT jsonb_agg(s ORDER BY id) AS s FROM doctor_slots s";
            let before = booked.clinic.json(slots).await;
            let report = booked.undo(1, booked.nurse).await.expect(0).report();
            assert_eq!(report["visits"][0]["slot"], json!(fate), "{kind:?} {change}: {report}");
            assert_eq!((&report["slots_booked"], &report["undone"]), (&json!(0), &json!(1)), "{kind:?} {change}");
            assert_eq!(booked.clinic.status(1).await, "SCHEDULED", "{kind:?} {change}");
            assert_eq!(booked.clinic.json(slots).await, before, "{kind:?} {change}");
        }
    }
    // A slot that was blocked by the mark itself, because the doctor was away, is as the mark has left it.
    let booked = BookedVisit::new().await;
    let leave = "INSERT INTO doctor_absences (doctor_id, first_day, last_day)
                 SELECT id, '2026-03-02', '2026-03-02' FROM doctors";
    booked.clinic.sql(leave).await;
    let before = booked.clinic.json("SELECT * FROM doctor_slots").await;
    booked.mark(1, "MANUAL_STAFF", booked.nurse).await.expect(0);
    let slot = booked.clinic.json("SELECT is_booked, is_blocked FROM doctor_slots").await;
    assert_eq!(slot, json!({"is_booked": false, "is_blocked": true}));
    assert_eq!(booked.undo(1, booked.nurse).await.expect(0).report()["visits"][0]["slot"], json!("booked"));
    assert_eq!(booked.clinic.json("SELECT * FROM doctor_slots").await, before);
    // Marked after its end, the slot was never given away.
    let booked = BookedVisit::new().await;
    booked.clinic.mark("2026-03-02T10:15:00-05:00").await.expect(0);
    assert_eq!(booked.undo(1, booked.nurse).await.expect(0).report()["visits"][0]["slot"], json!("kept"));
    // A visit that never had one.
    let booked = BookedVisit::new().await;
    booked.clinic.sql("DELETE FROM doctor_slots").await;
    booked.job().await;
    assert_eq!(booked.undo(1, booked.nurse).await.expect(0).report()["visits"][0]["slot"], json!("none"));
}

#[tokio::test]
async fn what_somebody_changed_since_is_refused_with_what_it_is_now() {
    for (change, words) in [
        ("UPDATE appointments SET status = 'COMPLETED'", "is COMPLETED now: somebody changed it"),
        ("UPDATE appointments SET status = 'SCHEDULED'", "is SCHEDULED now: somebody changed it"),
        ("UPDATE appointments SET start_time = '10:01'", "was moved to another time"),
        ("UPDATE appointments SET appointment_date = '2026-03-09'", "was moved to another time"),
        ("UPDATE no_show_logs SET status_before = NULL", "did not keep what it was"),
        ("DELETE FROM no_show_logs", "was not marked by rounds"),
    ] {
        let booked = BookedVisit::new().await;
        booked.job().await;
        booked.clinic.sql(change).await;
        let message = booked.refuse_undo(1, 1, "NOT_UNDOABLE").await;
        assert!(message.contains(words) && message.contains("visit 1 "), "{change}: {message}");
    }
    let booked = BookedVisit::new().await;
    booked.refuse_undo(1, 1, "NOT_UNDOABLE").await;
    booked.job().await;
    booked.undo(1, booked.nurse).await.expect(0);
    let message = booked.refuse_undo(1, 1, "NOT_UNDOABLE").await;
    assert!(message.contains(&format!("user {} undid it", booked.nurse)), "{message}");
    assert!(message.contains("SCHEDULED now"), "{message}");
}

#[tokio::test]
async fn who_may_say_who_came_may_undo_and_nobody_else() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    let elsewhere = booked.clinic.facility("America/New_York", None).await;
    let own = booked.login(booked.doctor).await;
    for role in ROLES {
        let here = booked.clinic.user(booked.facility, role).await;
        let there = booked.clinic.user(elsewhere, role).await;
        refused(booked.undo(1, there).await, 2, "ACTOR_NOT_ALLOWED");
        if ["RECEPTIONIST", "NURSE", "HOSPITAL_ADMIN"].contains(&role) {
            booked.undo_with(&["1"], here, &["--as-of", AT_1020, "--dry-run"]).await.expect(0);
        } else {
            refused(booked.undo(1, here).await, 2, "ACTOR_NOT_ALLOWED");
        }
    }
    booked.undo(1, own).await.expect(0);
    let message = refused(booked.undo(4711, own).await, 2, "UNKNOWN_APPOINTMENT");
    assert!(message.contains("4711"), "{message}");
    refused(booked.clinic.run(&["no-show", "undo", "1", "--reason", "r"]).await, 2, "NO_ACTOR");
    for reason in ["", "  ", &"x".repeat(501)] {
        let args = ["no-show", "undo", "1", "--reason", reason, "--actor", &own.to_string()];
        refused(booked.clinic.run(&args).await, 2, "REASON_REQUIRED");
    }
}

#[tokio::test]
async fn a_notice_that_is_on_its_way_is_not_recalled() {
    for (change, held) in [
        ("UPDATE notifications SET status = 'SENDING' WHERE channel = 'SMS'", None),
        ("SELECT", Some("SELECT FROM notifications WHERE channel = 'SMS' FOR UPDATE")),
    ] {
        let booked = BookedVisit::new().await;
        booked.job().await;
        booked.clinic.sql(change).await;
        let before = booked.clinic.json("SELECT jsonb_agg(n ORDER BY id) AS n FROM notifications n").await;
        let deliverer = application(&booked.clinic, held.unwrap_or("SELECT")).await;
        let report = booked.undo(1, booked.nurse).await.expect(0).report();
        let counts = (&report["notices_expired"], &report["notices_told"]);
        assert_eq!(counts, (&json!(0), &json!(2)), "{change}: {report}");
        deliverer.batch_execute("COMMIT").await.expect("it lives");
        let after = booked.clinic.json("SELECT jsonb_agg(n ORDER BY id) AS n FROM notifications n").await;
        assert_eq!(after, before, "{change}");
    }
}

#[tokio::test]
async fn of_two_people_at_once_one_undoes_and_the_other_hears_who_did() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    let second = booked.clinic.user(booked.facility, "RECEPTIONIST").await;
    let [first, second] = [booked.nurse, second].map(|actor| actor.to_string());
    let args = |actor| ["no-show", "undo", "1", "--reason", "r", "--actor", actor, "--as-of", AT_1020];
    let held = "SELECT FROM appointments FOR NO KEY UPDATE";
    let both = at_once(&booked.clinic, held, &args(&first), &args(&second)).await;
    let mut codes = both.each_ref().map(|outcome| outcome.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "{both:?}");
    let [one, other] = both;
    let lost = if one.code == 1 { one } else { other };
    let message = refused(lost, 1, "NOT_UNDOABLE");
    assert!(message.contains("undid it at"), "{message}");
}

#[tokio::test]
async fn a_row_that_the_application_keeps_is_said_to_be_locked() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    let application = application(&booked.clinic, "SELECT FROM appointments FOR NO KEY UPDATE").await;
    booked.refuse_undo(1, 1, "LOCKED").await;
    application.batch_execute("COMMIT").await.expect("it lives");
    booked.undo(1, booked.nurse).await.expect(0);
}

/// A visit that was undone without its slot could not get it by another undo.
#[tokio::test]
async fn a_slot_that_the_application_keeps_leaves_the_mark_as_it_is() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    let application = application(&booked.clinic, "SELECT FROM doctor_slots FOR UPDATE").await;
    booked.refuse_undo(1, 1, "LOCKED").await;
    application.batch_execute("COMMIT").await.expect("it lives");
    assert_eq!(booked.undo(1, booked.nurse).await.expect(0).report()["visits"][0]["slot"], json!("booked"));
}

/// A zone that was wrong is a reason to undo what was marked by it.
#[tokio::test]
async fn a_zone_that_was_corrected_has_moved_no_visit() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    booked.clinic.sql("UPDATE facilities SET time_zone = 'America/Denver'").await;
    let report = booked.undo(1, booked.nurse).await.expect(0).report();
    assert_eq!((&report["undone"], &report["visits"][0]["slot"]), (&json!(1), &json!("booked")), "{report}");
}

#[tokio::test]
async fn one_visit_that_the_database_refuses_stops_no_other_of_its_run() {
    let booked = BookedVisit::new().await;
    booked.clinic.many(booked.facility, booked.doctor, 20).await;
    let run = booked.job().await;
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    booked
        .clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF n(NEW.id) = 3 THEN RAISE EXCEPTION 'not 3'; END IF;
                 IF n(NEW.id) = 5 THEN RETURN NULL; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    let report = booked.undo_run(&run, admin, &[]).await.expect(3).report();
    assert_eq!(not_undone(&report), ["3 REFUSED", "5 NOT_TAKEN"], "{report}");
    assert_eq!(report["undone"], json!(19), "{report}");
    assert_eq!(booked.clinic.count("SELECT count(*) FROM appointments WHERE status = 'NO_SHOW'").await, 2);
}

/// The visits of a report that were not undone, with the codes.
fn not_undone(report: &Value) -> Vec<String> {
    let refused = report["not_undone"].as_array().expect("a list");
    refused.iter().map(|one| format!("{} {}", one["appointment_id"], one["code"]).replace('"', "")).collect()
}

#[tokio::test]
async fn a_run_is_undone_but_for_what_somebody_changed() {
    let booked = BookedVisit::new().await;
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    let (facility, doctor) = booked.clinic.new_york(15).await;
    for (facility, doctor, time) in [
        (booked.facility, booked.doctor, "09:00"),
        (booked.facility, booked.doctor, "09:15"),
        (booked.facility, booked.doctor, "09:30"),
        (facility, doctor, "10:00"),
        (facility, doctor, "09:00"),
    ] {
        let visit = Visit {
            facility,
            doctor,
            date: "2026-03-02",
            time,
            status: "SCHEDULED",
            checked_in: None,
            vitals: None,
            slot: Some(15),
        };
        booked.clinic.visit(visit).await;
    }
    let run = booked.job().await;
    booked.clinic.sql("UPDATE appointments SET status = 'COMPLETED' WHERE id = 2").await;
    booked.undo(3, booked.nurse).await.expect(0);
    booked.clinic.sql("DELETE FROM doctor_slots WHERE appointment_id = 4; DELETE FROM appointments WHERE id = 4").await;
    let holder = application(&booked.clinic, "SELECT FROM appointments WHERE id = 6 FOR NO KEY UPDATE").await;
    // An admin of one facility does not learn the state of another's visits.
    let of_one = booked.clinic.user(booked.facility, "HOSPITAL_ADMIN").await;
    let report = booked.undo_run(&run, of_one, &["--dry-run"]).await.expect(3).report();
    let expected = ["2 CHANGED", "3 UNDONE", "4 DELETED", "5 ELSEWHERE", "6 LOCKED"];
    assert_eq!(not_undone(&report), expected, "{report}");
    assert_eq!(report["not_undone"][3]["status"], json!(null));
    let dry = booked.undo_run(&run, admin, &["--dry-run"]).await.expect(3).report();
    let text = booked.undo_run(&run, admin, &["--dry-run", "--output", "text"]).await.expect(3).stdout;
    insta::assert_snapshot!("undo_run_text", text);
    let mut report = booked.undo_run(&run, admin, &[]).await.expect(3).report();
    report["dry_run"] = json!(true);
    assert_eq!(report, dry, "a dry run says what a run does");
    assert_eq!(not_undone(&report), ["2 CHANGED", "3 UNDONE", "4 DELETED", "6 LOCKED"], "{report}");
    assert_eq!((&report["undone"], &report["partial"]), (&json!(2), &json!(true)));
    holder.batch_execute("COMMIT").await.expect("it lives");
    let report = booked.undo_run(&run, admin, &[]).await.expect(3).report();
    assert_eq!((&report["undone"], &report["visits"][0]["appointment_id"]), (&json!(1), &json!("6")));
    let states = booked.clinic.json("SELECT jsonb_agg(status ORDER BY id) AS s FROM appointments").await;
    assert_eq!(states["s"], json!(["SCHEDULED", "COMPLETED", "SCHEDULED", "SCHEDULED", "SCHEDULED"]));
    let booked_slots = "SELECT count(*) FROM doctor_slots WHERE is_booked AND appointment_id IN (1, 5)";
    assert_eq!(booked.clinic.count(booked_slots).await, 2);
    let stats = booked.clinic.run(&["no-show", "stats", "--to", "2026-03-02"]).await.expect(0).report();
    assert_eq!((&stats["total"]["undone"], &stats["total"]["no_shows"]), (&json!(4), &json!(0)), "{stats}");
}

#[tokio::test]
async fn a_large_run_is_undone_in_one_act() {
    let booked = BookedVisit::new().await;
    booked.clinic.many(booked.facility, booked.doctor, 2100).await;
    let run = booked.job().await;
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    let report = booked.undo_run(&run, admin, &[]).await.expect(0).report();
    assert_eq!((&report["undone"], &report["notices_expired"]), (&json!(2101), &json!(2101)));
    let left = "SELECT count(*) FROM appointments WHERE status <> 'SCHEDULED'";
    assert_eq!(booked.clinic.count(left).await, 0);
    assert_eq!(booked.clinic.count("SELECT count(*) FROM operator_actions").await, 1);
}

#[tokio::test]
async fn a_run_is_named_as_runs_show_names_it() {
    let booked = BookedVisit::new().await;
    let run = booked.job().await;
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    // The latest run of all is of another job.
    booked.clinic.run(&["stage-alerts", "--as-of", AT_1020]).await.expect(0);
    let upper = run.to_uppercase();
    for named in [&run[..8], upper.as_str(), "latest"] {
        let report = booked.undo_run(named, admin, &["--dry-run"]).await.expect(0).report();
        assert_eq!((&report["run_id"], &report["undone"]), (&json!(run), &json!(1)), "{named}: {report}");
    }
    booked.clinic.sql("DELETE FROM no_show_logs").await;
    let second = booked.clinic.mark("2026-03-02T10:13:00-05:00").await.expect(0).report();
    let copies = format!(
        "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, completed_at, host, version)
         SELECT overlay('{run}' placing n::text from 36)::uuid, 'mark-no-shows', 'COMPLETED', t, t, t, t, 'h', 'v'
         FROM (SELECT clock_timestamp() - interval '1 day' AS t) c, generate_series(0, 9) n
         WHERE overlay('{run}' placing n::text from 36) <> '{run}'"
    );
    booked.clinic.sql(&copies).await;
    let message = refused(booked.undo_run(&run[..8], admin, &[]).await, 2, "AMBIGUOUS_RUN");
    assert!(message.contains(&run), "{message}");
    let latest = booked.undo_run("latest", admin, &["--dry-run"]).await.report();
    assert_eq!(latest["run_id"], second["run_id"]);
    booked.undo_with(&["--run", "newest"], admin, &[]).await.expect(2);
}

#[tokio::test]
async fn a_run_that_is_none_or_at_work_or_of_another_job_is_refused() {
    let booked = BookedVisit::new().await;
    let run = booked.job().await;
    let admin = group_user(&booked.clinic, "HOSPITAL_ADMIN").await;
    refused(booked.undo_run(&run, booked.nurse, &[]).await, 2, "ACTOR_NOT_ALLOWED");
    let none = "00000000-0000-4000-8000-000000000000";
    refused(booked.undo_run(none, admin, &[]).await, 2, "UNKNOWN_RUN");
    let alerts = booked.clinic.run(&["stage-alerts", "--as-of", AT_1020]).await.expect(0).report();
    let message =
        refused(booked.undo_run(alerts["run_id"].as_str().expect("an id"), admin, &[]).await, 2, "UNKNOWN_RUN");
    assert!(message.contains("stage-alerts"), "{message}");
    let status = |status: &str, at: &str| {
        format!("UPDATE cron_job_runs SET status = '{status}', completed_at = {at} WHERE id = '{run}'")
    };
    booked.clinic.sql("ALTER TABLE cron_job_runs DISABLE TRIGGER USER").await;
    booked.clinic.sql(&status("RUNNING", "NULL")).await;
    refused(booked.undo_run(&run, admin, &[]).await, 1, "RUN_AT_WORK");
    // The row of a run that died stays RUNNING while the job is paused.
    booked.clinic.sql("UPDATE cron_job_runs SET heartbeat_at = heartbeat_at - interval '1 hour'").await;
    booked.undo_run(&run, admin, &["--dry-run"]).await.expect(0);
    // Runs are pruned before their marks.
    booked.clinic.sql(&format!("DELETE FROM cron_job_runs WHERE id = '{run}'")).await;
    booked.undo_run(&run, admin, &[]).await.expect(0);
}

#[tokio::test]
async fn a_log_row_that_the_database_does_not_keep_undoes_nothing() {
    let booked = BookedVisit::new().await;
    booked.job().await;
    booked
        .clinic
        .sql(
            "CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER drop_row BEFORE UPDATE ON no_show_logs FOR EACH ROW EXECUTE FUNCTION drop_row()",
        )
        .await;
    booked.refuse_undo(1, 1, "EVIDENCE_LOST").await;
}

#[tokio::test]
async fn reasons_and_patients_come_out_nowhere() {
    let booked = BookedVisit::new().await;
    plant(&booked.clinic).await;
    booked.job().await;
    let nurse = booked.nurse.to_string();
    let undo = ["no-show", "undo", "1", "--reason", "CANARY-R", "--actor", &nurse, "--as-of", AT_1020];
    let dry = [&undo[..], &["--dry-run"]].concat();
    let lists = [&["no-show", "logs"][..], &["no-show", "stats", "--to", "2026-03-02"]];
    let mut out = everything(&booked.clinic, &[&dry, &undo]).await;
    out += &everything(&booked.clinic, &lists).await;
    assert!(out.contains("undid it"), "it was undone, and refused the second time: {out}");
    assert!(!out.contains("CANARY"), "{out}");
    assert_eq!(booked.clinic.json("SELECT undo_reason FROM no_show_logs").await, json!({"undo_reason": "CANARY-R"}));
}
