//! Who is told of an escalated case, and that it is never somebody of another facility.

use serde_json::json;

use super::{Case, Desk, NOW};

/// A visit at that facility which belongs to that department.
async fn visit(desk: &Desk, facility: i64, department: Option<i64>) -> i64 {
    let doctor = desk.clinic.doctor(facility, Some(15)).await;
    let visit = desk.clinic.scheduled(facility, doctor, "2026-03-01", "09:00").await;
    let update = "UPDATE appointments SET department_id = $1 WHERE id = $2";
    desk.clinic.client.execute(update, &[&department, &visit]).await.expect("can be set");
    visit
}

#[tokio::test]
async fn the_cases_own_department_comes_first_then_the_visits_then_the_fallback() {
    let desk = Desk::new().await;
    let [visits, fallback] = [desk.department(desk.facility).await, desk.department(desk.facility).await];
    let with = Some(visit(&desk, desk.facility, Some(visits)).await);
    let without = Some(visit(&desk, desk.facility, None).await);
    let mut expected = vec![];
    for (department, visit, told) in [
        (Some(desk.department), with, desk.department),
        (Some(desk.department), without, desk.department),
        (None, with, visits),
        (None, without, fallback),
        (None, None, fallback),
    ] {
        expected.push((desk.open(Case { department, visit, ..desk.late() }).await, told));
    }
    let outcome = desk.run(&["--fallback-department", &fallback.to_string()]).await;
    assert_eq!((outcome.count("notifications"), outcome.count("undeliverable")), (5, 0));
    assert_eq!(desk.told().await, expected);
}

#[tokio::test]
async fn a_case_of_no_department_is_escalated_all_the_same() {
    let desk = Desk::new().await;
    let without = Some(visit(&desk, desk.facility, None).await);
    for visit in [None, without] {
        desk.open(Case { department: None, visit, ..desk.late() }).await;
    }
    desk.open(desk.late()).await;
    let outcome = desk.run(&[]).await;
    let counts = ["scanned", "escalated", "notifications", "undeliverable", "skipped", "failed"];
    assert_eq!(counts.map(|key| outcome.count(key)), [3, 3, 1, 2, 0, 0]);
    assert_eq!(desk.cases().await, ["ESCALATED 1"; 3]);
    assert_eq!(desk.clinic.count("SELECT count(*) FROM px_case_audits").await, 3);
}

#[tokio::test]
async fn each_facility_has_a_fallback_of_its_own() {
    let desk = Desk::new().await;
    let other = desk.clinic.facility("Asia/Kathmandu", None).await;
    let third = desk.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = desk.department(other).await;
    let mut cases = vec![];
    for facility in [desk.facility, other, third] {
        cases.push(desk.open(Case { facility, department: None, ..desk.late() }).await);
    }
    let (ours, others) = (desk.department.to_string(), theirs.to_string());
    let outcome = desk.run(&["--fallback-department", &ours, "--fallback-department", &others]).await;
    assert_eq!((outcome.count("escalated"), outcome.count("undeliverable")), (3, 1));
    assert_eq!(desk.told().await, [(cases[0], desk.department), (cases[1], theirs)]);
}

#[tokio::test]
async fn fallbacks_may_be_listed_with_commas() {
    let desk = Desk::new().await;
    let other = desk.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = desk.department(other).await;
    for facility in [desk.facility, other] {
        desk.open(Case { facility, department: None, ..desk.late() }).await;
    }
    // As it has to be written in an environment variable.
    let list = format!("{},{theirs}", desk.department);
    let program = desk.clinic.program.clone().env("ROUNDS_FALLBACK_DEPARTMENT", &list);
    assert_eq!(program.run(&["escalate-sla", "--as-of", NOW]).await.expect(0).count("undeliverable"), 0);
    assert_eq!(desk.told().await, [(1, desk.department), (2, theirs)]);
}

#[tokio::test]
async fn a_department_of_another_facility_is_never_told() {
    let desk = Desk::new().await;
    // Where a clinic's own tables are mapped with views there is no such constraint.
    desk.clinic.sql("ALTER TABLE px_cases DROP CONSTRAINT px_cases_assigned_department_id_facility_id_fkey").await;
    let other = desk.clinic.facility("Asia/Kathmandu", None).await;
    let department = desk.department(other).await;
    let theirs = Some(department);
    let at_ours = Some(visit(&desk, desk.facility, theirs).await);
    let at_theirs = Some(visit(&desk, other, theirs).await);
    let good = Some(visit(&desk, desk.facility, Some(desk.department)).await);
    let mut expected = vec![];
    for (department, visit, ours) in [
        (theirs, None, false),
        (None, at_ours, false),
        (None, at_theirs, false),
        (theirs, at_ours, false),
        (theirs, good, true),
        (Some(4711), good, true),
        (Some(4711), None, false),
    ] {
        let case = desk.open(Case { department, visit, ..desk.late() }).await;
        expected.extend(ours.then_some((case, desk.department)));
    }
    let outcome = desk.run(&["--fallback-department", &department.to_string()]).await;
    assert_eq!((outcome.count("escalated"), outcome.count("undeliverable")), (7, 5), "{outcome:?}");
    assert_eq!(desk.told().await, expected);
}

#[tokio::test]
async fn a_wrong_department_gives_way_to_the_fallback() {
    let desk = Desk::new().await;
    desk.clinic.sql("ALTER TABLE px_cases DROP CONSTRAINT px_cases_assigned_department_id_facility_id_fkey").await;
    let other = desk.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = Some(desk.department(other).await);
    let visit = Some(visit(&desk, other, theirs).await);
    let case = desk.open(Case { department: theirs, visit, ..desk.late() }).await;
    desk.run(&["--fallback-department", &desk.department.to_string()]).await;
    assert_eq!(desk.told().await, [(case, desk.department)]);
}

#[tokio::test]
async fn a_fallback_that_cannot_be_used_is_refused() {
    let desk = Desk::new().await;
    desk.open(desk.late()).await;
    let ours = desk.department.to_string();
    let second = desk.department(desk.facility).await.to_string();
    for given in [vec!["4711"], vec!["x"], vec![&ours, "4711"], vec![&ours, &second]] {
        let flags: Vec<&str> = given.iter().flat_map(|id| ["--fallback-department", id]).collect();
        for more in [&[][..], &["--dry-run"]] {
            let outcome = desk.clinic.run(&[&["escalate-sla", "--as-of", NOW], &flags[..], more].concat()).await;
            assert!([1, 2].contains(&outcome.code), "{given:?}: {outcome:?}");
            assert!(format!("{outcome:?}").to_lowercase().contains("department"), "{outcome:?}");
        }
    }
    assert_eq!(desk.cases().await, ["OPEN 0"]);
    assert_eq!(desk.clinic.json("SELECT count(*) AS n FROM notifications").await, json!({"n": 0}));
}
