//! What waits for a person, what a person starts, and what a person is told of a run.

use serde_json::{Value, json};

use super::{AT_0700, DAY, FREE, booked, leave, run, run_at, slot, slot_state};
use crate::support::Clinic;

#[tokio::test]
async fn an_absence_that_would_cancel_many_waits_for_a_person() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let colleague = clinic.doctor(facility, Some(15)).await;
    let other = booked(&clinic, facility, colleague, "09:00").await;
    clinic.many(facility, doctor, 51).await;
    let free = slot(&clinic, doctor, DAY, "10:00").await;
    let whole_day = format!("'{DAY}', '{DAY}', NULL, NULL");
    let large = leave(&clinic, doctor, "EMERGENCY", &whole_day).await.to_string();
    leave(&clinic, colleague, "EMERGENCY", &whole_day).await;
    let outcome = run(&clinic).await.expect(3);
    let errors = json!([{"entity": "absence", "id": large, "code": "NEEDS_CONFIRMATION"}]);
    assert_eq!(outcome.report()["errors"], errors);
    assert_eq!(outcome.count("appointments_cancelled"), 1, "the others are applied");
    assert_eq!(clinic.status(other).await, "CANCELLED");
    assert_eq!(slot_state(&clinic, free).await, FREE, "no part of it is done");
    let explained = clinic.run(&["apply-absences", "--as-of", AT_0700, "--explain", "2"]).await.expect(0).report();
    assert!(explained["explanation"].as_str().expect("text").contains("NEEDS_CONFIRMATION"), "{explained}");
    let supervisor = clinic.user(facility, "SUPERVISOR").await.to_string();
    let named = ["--absence", &large];
    assert_eq!(run_at(&clinic, AT_0700, &named).await.code, 2, "a person says so");
    let by = [&named[..], &["--actor", &supervisor]].concat();
    run_at(&clinic, AT_0700, &by).await.expect(3);
    run_at(&clinic, AT_0700, &[&by[..], &["--max-items", "50"]].concat()).await.expect(3);
    let outcome = run_at(&clinic, AT_0700, &[&by[..], &["--max-items", "51"]].concat()).await.expect(0);
    assert_eq!(["appointments_cancelled", "slots_blocked"].map(|key| outcome.count(key)), [51, 1]);
    let unknown = ["--absence", "99", "--actor", &supervisor];
    assert_eq!(run_at(&clinic, AT_0700, &unknown).await.report()["error_code"], "UNKNOWN_ABSENCE");
    let elsewhere = clinic.facility("America/Denver", None).await;
    let stranger = clinic.user(elsewhere, "SUPERVISOR").await.to_string();
    let foreign = ["--absence", &large, "--actor", &stranger];
    assert_eq!(run_at(&clinic, AT_0700, &foreign).await.report()["error_code"], "UNKNOWN_ABSENCE");
    // A visit that is booked later is one, and needs no word.
    clinic.scheduled(facility, doctor, DAY, "11:00").await;
    assert_eq!(run(&clinic).await.expect(0).count("appointments_cancelled"), 1);
}

#[tokio::test]
async fn a_run_of_a_facility_leaves_the_others_alone() {
    let clinic = Clinic::new().await;
    let mut facilities = vec![];
    for _ in 0..2 {
        let (facility, doctor) = clinic.new_york(15).await;
        booked(&clinic, facility, doctor, "09:00").await;
        slot(&clinic, doctor, DAY, "10:00").await;
        leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
        facilities.push(facility.to_string());
    }
    let outcome = run_at(&clinic, AT_0700, &["--facility", &facilities[1]]).await.expect(0);
    assert_eq!(["appointments_cancelled", "slots_blocked", "absences"].map(|key| outcome.count(key)), [1, 2, 1]);
    assert_eq!([clinic.status(1).await, clinic.status(2).await], ["SCHEDULED", "CANCELLED"]);
}

#[tokio::test]
async fn what_a_run_does_is_listed_and_explained() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = booked(&clinic, facility, doctor, "09:00").await.to_string();
    slot(&clinic, doctor, DAY, "10:00").await;
    leave(&clinic, doctor, "EMERGENCY", &format!("'{DAY}', '{DAY}', NULL, NULL")).await;
    let list = run_at(&clinic, AT_0700, &["--dry-run", "--list"]).await.expect(0).report()["list"].clone();
    let entities: Vec<&Value> = list.as_array().expect("a list").iter().map(|line| &line["entity"]).collect();
    assert_eq!(entities, ["slot", "appointment", "absence"], "{list}");
    assert_eq!(list[0]["why"], "its doctor is on leave");
    let explain = async |more: &[&str]| {
        run_at(&clinic, AT_0700, &[&["--explain", &visit], more].concat()).await.expect(0).report()
    };
    assert_eq!(explain(&[]).await["due"], true);
    run(&clinic).await.expect(0);
    let after = explain(&[]).await;
    assert_eq!(after["due"], false);
    let text = after["explanation"].as_str().expect("text");
    assert!(text.contains("It was cancelled for absence 1 at") && text.contains("it is CANCELLED"), "{text}");
}
