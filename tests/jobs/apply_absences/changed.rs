//! A leave that is entered late, lengthened, shortened, withdrawn or deleted, and leaves that overlap.

use serde_json::json;

use super::{AT_0700, BLOCKED, DAY, FREE, booked, leave, run, run_at, slot, slot_of, slot_state};
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;

#[tokio::test]
async fn a_leave_that_changes_is_brought_to_its_new_state() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (_, doctor) = clinic.new_york(15).await;
        let mut slots = vec![];
        for day in ["2026-03-02", "2026-03-03", "2026-03-04"] {
            slots.push(slot(&clinic, doctor, day, "10:00").await);
        }
        leave(&clinic, doctor, "ANNUAL_LEAVE", "'2026-03-02', '2026-03-03', NULL, NULL").await;
        let mut states = vec![];
        for change in [
            "SELECT",
            "UPDATE doctor_absences SET last_day = '2026-03-04'",
            "UPDATE doctor_absences SET first_day = '2026-03-03', last_day = '2026-03-03'",
            "UPDATE doctor_absences SET status = 'CANCELLED'",
            "UPDATE doctor_absences SET status = 'ACTIVE', first_day = '2026-03-04', last_day = '2026-03-05'",
            "DELETE FROM doctor_absences",
        ] {
            clinic.sql(change).await;
            let outcome = run(&clinic).await.expect(0);
            let mut state = vec![];
            for slot in &slots {
                state.push(slot_state(&clinic, *slot).await == BLOCKED);
            }
            states.push((state, ["slots_blocked", "slots_unblocked"].map(|key| outcome.count(key))));
            assert_eq!(run(&clinic).await.expect(0).count("scanned"), 0, "{kind:?} {change}");
        }
        let expected = [
            (vec![true, true, false], [2, 0]),
            (vec![true, true, true], [1, 0]),
            (vec![false, true, false], [0, 2]),
            (vec![false, false, false], [0, 1]),
            (vec![false, false, true], [1, 0]),
            (vec![false, false, false], [0, 1]),
        ];
        assert_eq!(states, expected, "{kind:?}");
        let effect = clinic.json("SELECT ended_at IS NOT NULL AS ended FROM absence_effects").await;
        assert_eq!(effect["ended"], true, "the absence is gone, and the row is kept as evidence");
        let shown = clinic.run(&["absences", "show", &kind.text(1)]).await.expect(0).report();
        assert_eq!((&shown["absence"]["status"], &shown["slotsBlocked"]), (&json!("GONE"), &json!(0)));
    }
}

#[tokio::test]
async fn what_somebody_else_blocked_stays_blocked() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let ours = slot(&clinic, doctor, DAY, "10:00").await;
    let theirs = slot(&clinic, doctor, DAY, "11:00").await;
    clinic.sql(&format!("UPDATE doctor_slots SET is_blocked = true WHERE id = {theirs}")).await;
    let visit = booked(&clinic, facility, doctor, "12:00").await;
    let booking = slot_of(&clinic, visit).await;
    leave(&clinic, doctor, "OTHER", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    run(&clinic).await;
    clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
    run(&clinic).await;
    assert_eq!(slot_state(&clinic, ours).await, FREE);
    assert_eq!(slot_state(&clinic, theirs).await, BLOCKED);
    assert_eq!(slot_state(&clinic, booking).await, [true, true, true], "that is the booking's block");
}

#[tokio::test]
async fn a_slot_whose_visit_was_cancelled_meanwhile_is_free_after_the_leave() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = booked(&clinic, facility, doctor, "12:00").await;
    let slot = slot_of(&clinic, visit).await;
    leave(&clinic, doctor, "OTHER", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    run(&clinic).await;
    // The application frees the slot of a visit only sometimes.
    clinic.sql("UPDATE appointments SET status = 'CANCELLED', cancelled_at = created_at").await;
    run(&clinic).await.expect(0);
    assert_eq!(slot_state(&clinic, slot).await, BLOCKED, "no slot is booked by a cancelled visit");
    clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
    run(&clinic).await.expect(0);
    assert_eq!(slot_state(&clinic, slot).await, FREE);
}

#[tokio::test]
async fn a_slot_that_another_job_blocked_for_the_leave_is_free_after_it() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(30).await;
        clinic.sql("UPDATE facilities SET no_show_after_minutes = 5").await;
        let (status, checked_in, vitals, slot) = ("SCHEDULED", None, None, Some(30));
        let visit =
            clinic.visit(Visit { facility, doctor, date: DAY, time: "09:00", status, checked_in, vitals, slot }).await;
        let slot = slot_of(&clinic, visit).await;
        leave(&clinic, doctor, "OTHER", &format!("'{DAY}', '{DAY}', '09:15', NULL")).await;
        // Before apply-absences knows of the leave.
        assert_eq!(clinic.mark("2026-03-02T09:10:00-05:00").await.expect(0).count("slots_released"), 1);
        assert_eq!(slot_state(&clinic, slot).await, BLOCKED);
        let at_0911 = "2026-03-02T09:11:00-05:00";
        assert_eq!(run_at(&clinic, at_0911, &[]).await.expect(0).count("scanned"), 0);
        clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
        assert_eq!(run_at(&clinic, at_0911, &[]).await.expect(0).count("slots_unblocked"), 1, "{kind:?}");
        assert_eq!(slot_state(&clinic, slot).await, FREE);
    }
}

#[tokio::test]
async fn of_two_leaves_the_other_one_goes_on() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = Clinic::of(kind).await;
        let (_, doctor) = clinic.new_york(15).await;
        let slot = slot(&clinic, doctor, DAY, "10:00").await;
        leave(&clinic, doctor, "OTHER", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
        leave(&clinic, doctor, "TRAINING", &format!("'{DAY}', '2026-03-09', '08:00', NULL")).await;
        run(&clinic).await.expect(0);
        clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED' WHERE id = k(1)").await;
        let outcome = run(&clinic).await.expect(0);
        assert_eq!(["slots_handed_over", "slots_unblocked"].map(|key| outcome.count(key)), [1, 0]);
        assert_eq!(slot_state(&clinic, slot).await, BLOCKED);
        clinic.sql("UPDATE doctor_absences SET status = 'CANCELLED'").await;
        assert_eq!(run(&clinic).await.expect(0).count("slots_unblocked"), 1);
        assert_eq!(slot_state(&clinic, slot).await, FREE);
    }
}

#[tokio::test]
async fn a_visit_that_is_booked_later_is_caught() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    run(&clinic).await.expect(0);
    let visit = booked(&clinic, facility, doctor, "09:00").await;
    assert_eq!(run(&clinic).await.expect(0).count("appointments_cancelled"), 1);
    // The desk books it again, and it is cancelled again: the patient is told of each.
    clinic.sql("UPDATE appointments SET status = 'SCHEDULED', cancelled_at = NULL").await;
    assert_eq!(run(&clinic).await.expect(0).count("appointments_cancelled"), 1);
    let rows = clinic.json(
        "SELECT (SELECT count(*) FROM notifications WHERE channel = 'IN_APP') AS told,
                (SELECT count(*) FROM visit_cancellations WHERE outcome = 'BY_ABSENCE') AS seen,
                (SELECT count(*) FROM visit_cancellations WHERE ended_at IS NULL) AS standing",
    );
    assert_eq!(rows.await, json!({"told": 2, "seen": 2, "standing": 1}));
    assert_eq!(clinic.status(visit).await, "CANCELLED");
}

#[tokio::test]
async fn what_was_cancelled_stays_cancelled_and_is_listed_once() {
    for change in [
        "UPDATE doctor_absences SET status = 'CANCELLED'",
        "UPDATE doctor_absences SET type = 'OTHER'",
        "UPDATE doctor_absences SET start_time = '12:00'",
        "DELETE FROM doctor_absences",
    ] {
        let clinic = Clinic::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        let visit = booked(&clinic, facility, doctor, "09:00").await;
        let id = leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await.to_string();
        run(&clinic).await.expect(0);
        clinic.sql(change).await;
        assert_eq!(run(&clinic).await.expect(0).count("visits_not_restored"), 1, "{change}");
        assert_eq!(clinic.status(visit).await, "CANCELLED", "{change}");
        assert_eq!(run(&clinic).await.expect(0).count("visits_not_restored"), 0, "{change}");
        let told = "SELECT count(*) FROM notifications WHERE type = 'ABSENCE_VISITS_CANCELLED'";
        assert_eq!(clinic.count(told).await, 1, "{change}");
        let shown = clinic.run(&["absences", "show", &id, "--as-of", AT_0700]).await.expect(0).report();
        assert_eq!(shown["warnings"][0]["code"], "VISITS_STAY_CANCELLED", "{change} {shown}");
        assert_eq!(shown["warnings"][0]["appointments"][0]["time"], "09:00");
    }
}

#[tokio::test]
async fn a_slot_or_a_visit_that_is_gone_holds_nothing_up() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    booked(&clinic, facility, doctor, "09:00").await;
    slot(&clinic, doctor, DAY, "10:00").await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    run(&clinic).await.expect(0);
    clinic.sql("DELETE FROM doctor_slots; DELETE FROM appointments; DELETE FROM doctor_absences").await;
    assert_eq!(run(&clinic).await.expect(0).count("slots_unblocked"), 2);
    assert_eq!(run(&clinic).await.expect(0).count("scanned"), 0);
    let rows = "SELECT (SELECT count(*) FROM absence_visits) + (SELECT count(*) FROM blocked_slots)";
    assert_eq!(clinic.count(rows).await, 3, "they are kept as evidence");
}

#[tokio::test]
async fn prune_forgets_blocked_slots_that_are_long_over() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "INSERT INTO blocked_slots (slot_id, absence_id, doctor_id, starts_at, ends_at, was_blocked, blocked_at)
             SELECT n, 1, 1, ends, ends, false, ends
             FROM (VALUES (1, now() - interval '401 days'), (2, now() - interval '399 days')) t (n, ends)",
        )
        .await;
    let outcome = clinic.run(&["prune"]).await.expect(0);
    assert_eq!(outcome.count("blocked_slots"), 1);
    assert_eq!(clinic.json("SELECT slot_id FROM blocked_slots").await["slot_id"], "2");
}

#[tokio::test]
async fn a_clinic_without_cancelled_at_has_its_visits_cancelled_all_the_same() {
    let clinic = Clinic::of(Kind::TextViews).await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = booked(&clinic, facility, doctor, "09:00").await;
    clinic
        .sql(
            "ALTER TABLE app.appointments RENAME TO visits;
             DO $$ BEGIN
                 EXECUTE (SELECT 'CREATE OR REPLACE VIEW rounds.appointments AS SELECT '
                     || string_agg(CASE attname WHEN 'cancelled_at' THEN 'NULL::' || format_type(atttypid, atttypmod)
                                                                         || ' AS cancelled_at'
                                                ELSE attname::text END, ', ' ORDER BY attnum) || ' FROM app.visits'
                     FROM pg_attribute WHERE attrelid = 'app.visits'::regclass AND attnum > 0 AND NOT attisdropped);
                 EXECUTE (SELECT string_agg(format('ALTER TABLE app.visits DROP CONSTRAINT %I', conname), '; ')
                     FROM pg_constraint WHERE conrelid = 'app.visits'::regclass AND contype = 'c');
             END $$",
        )
        .await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    assert_eq!(run_at(&clinic, AT_0700, &[]).await.expect(0).count("appointments_cancelled"), 1);
    assert_eq!(clinic.status(visit).await, "CANCELLED");
}
