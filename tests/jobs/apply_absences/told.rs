//! Who is told of what, and in which words.

use serde_json::{Value, json};

use super::{AT_0700, DAY, booked, leave, run, run_at};
use crate::jobs::messages::read_as_staged;
use crate::support::Clinic;
use crate::support::clinic::Visit;

async fn notices(clinic: &Clinic) -> Vec<Value> {
    let query = "SELECT jsonb_build_array(type, channel, priority, status, title, body, placeholders, expires_at)
                 FROM notifications ORDER BY type, recipient_kind, channel, id";
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn patients_are_told_in_the_right_words() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.sql("UPDATE doctors SET last_name = 'Smith'").await;
    let (status, checked_in, vitals, slot) = ("SCHEDULED", None, None, Some(15));
    let visit = Visit { facility, doctor, date: "2026-01-22", time: "09:00", status, checked_in, vitals, slot };
    clinic.visit(visit).await;
    leave(&clinic, doctor, "EMERGENCY", "'2026-01-22', '2026-01-22', NULL, NULL").await;
    run_at(&clinic, "2026-01-22T07:00:00-05:00", &[]).await.expect(0);
    assert_eq!(read_as_staged(&clinic).await, 1);
    let [app, sms]: [Value; 2] = notices(&clinic).await.try_into().expect("two");
    let title = "Appointment Cancelled - Doctor Unavailable";
    let body = "Your appointment with Dr. Smith on Jan 22 at 09:00 has been cancelled due to doctor unavailability. \
                Please reschedule.";
    let expires = "2026-01-22T14:15:00+00:00";
    let placeholders = json!({"appointment_id": "1", "day": "Jan 22", "start": "09:00"});
    let mut named = placeholders.clone();
    named["doctor"] = json!("Smith");
    assert_eq!(app, json!(["DOCTOR_UNAVAILABLE", "IN_APP", "HIGH", "SENT", title, body, named, expires]));
    let body = "Your appointment on Jan 22 at 09:00 has been cancelled. Please call the clinic to book a new time.";
    assert_eq!(sms, json!(["DOCTOR_UNAVAILABLE", "SMS", "HIGH", "PENDING", title, body, placeholders, expires]));
}

/// A visit of a patient who is checked in, and whose doctor has an emergency.
async fn checked_in(clinic: &Clinic) -> i64 {
    let (facility, doctor) = clinic.new_york(15).await;
    let (status, checked_in) = ("CHECKED_IN", Some("2026-03-02T06:55-05"));
    let visit = Visit { facility, doctor, date: DAY, time: "09:00", status, checked_in, vitals: None, slot: None };
    clinic.visit(visit).await;
    leave(clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    facility
}

#[tokio::test]
async fn the_desk_is_alerted_at_once_to_who_is_in_the_building() {
    for desk in [&["RECEPTIONIST", "NURSE", "MANAGER", "HOSPITAL_ADMIN"][..], &["NURSE", "MANAGER", "HOSPITAL_ADMIN"]] {
        let clinic = Clinic::new().await;
        let facility = checked_in(&clinic).await;
        let elsewhere = clinic.facility("America/Denver", None).await;
        clinic.user(elsewhere, "RECEPTIONIST").await;
        for role in desk {
            clinic.user(facility, role).await;
        }
        let outcome = run(&clinic).await.expect(0);
        assert_eq!(outcome.count("checked_in"), 1);
        let told = clinic.json(
            "SELECT u.role, n.priority, n.status, n.body FROM notifications n JOIN users u ON u.id::text = n.recipient_id
             WHERE n.recipient_kind = 'USER'",
        );
        let told = told.await;
        let expected = if desk[0] == "RECEPTIONIST" { "RECEPTIONIST" } else { "HOSPITAL_ADMIN" };
        assert_eq!(
            (&told["role"], &told["priority"], &told["status"]),
            (&json!(expected), &json!("HIGH"), &json!("SENT"))
        );
        let body = told["body"].as_str().expect("text");
        assert!(body.starts_with("Patient Pat Doe (") && body.contains("is checked in for 09:00 on Mar 2"), "{body}");
    }
}

#[tokio::test]
async fn a_patient_in_the_building_whom_nobody_sees_is_a_failure_that_is_recorded() {
    let clinic = Clinic::new().await;
    checked_in(&clinic).await;
    let outcome = run(&clinic).await.expect(3);
    assert_eq!(["appointments_cancelled", "undeliverable"].map(|key| outcome.count(key)), [1, 1]);
    let recorded = clinic.json("SELECT error_code, message FROM cron_job_run_errors").await;
    assert_eq!(recorded["error_code"], "UNDELIVERABLE");
    assert!(recorded["message"].as_str().expect("text").contains("nobody was told"), "{recorded}");
}

#[tokio::test]
async fn admins_are_told_of_an_absence_and_its_visits_once() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let admin = clinic.user(facility, "HOSPITAL_ADMIN").await;
    clinic
        .sql(&format!(
            "UPDATE users SET email = 'a@example.org' WHERE id = {admin};
             INSERT INTO notification_preferences (user_id, in_app, email) VALUES ({admin}, true, true)"
        ))
        .await;
    booked(&clinic, facility, doctor, "09:00").await;
    booked(&clinic, facility, doctor, "10:00").await;
    leave(&clinic, doctor, "SICK_LEAVE", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    assert_eq!(run(&clinic).await.expect(0).count("visits_kept"), 2);
    let [mail, app]: [Value; 2] = notices(&clinic).await.try_into().expect("two");
    let body = "Not cancelled during the leave of Dr. Stone: 2 visits (Mar 2 at 09:00, Mar 2 at 10:00).";
    assert_eq!(app[5], body);
    assert_eq!(mail[5], "Visits that are not cancelled during the leave of a doctor (absence 1): 2.");
    assert!(!mail.to_string().contains("Stone"), "{mail}");
    assert_eq!(read_as_staged(&clinic).await, 1);
    // A visit that is over or cancelled is no news, one more is.
    assert_eq!(run_at(&clinic, "2026-03-02T09:15:00-05:00", &[]).await.expect(0).count("notifications"), 0);
    booked(&clinic, facility, doctor, "11:00").await;
    assert_eq!(run_at(&clinic, "2026-03-02T09:15:00-05:00", &[]).await.expect(0).count("visits_kept"), 2);
    assert_eq!(run(&clinic).await.expect(0).count("notifications"), 0);
    let visits = "SELECT metadata -> 'visits' AS v FROM notifications ORDER BY id DESC LIMIT 1";
    let expected = json!([{"id": "2", "date": DAY, "time": "10:00"}, {"id": "3", "date": DAY, "time": "11:00"}]);
    assert_eq!(clinic.json(visits).await["v"], expected);
}

#[tokio::test]
async fn a_list_that_nobody_gets_is_recorded() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    booked(&clinic, facility, doctor, "09:00").await;
    leave(&clinic, doctor, "OTHER", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    let outcome = run_at(&clinic, AT_0700, &[]).await.expect(3);
    assert_eq!(outcome.report()["errors"], json!([{"entity": "absence", "id": "1", "code": "UNDELIVERABLE"}]));
    assert_eq!(run(&clinic).await.expect(0).count("undeliverable"), 0, "once");
}
