//! Who is told of an escalated case, and that it is never somebody of another facility.

use serde_json::json;

use super::{Case, CaseFixture, NOW};
use crate::support::keys::Kind;

/// A visit at that facility which belongs to that department.
async fn visit(fixture: &CaseFixture, facility: i64, department: Option<i64>) -> i64 {
    let doctor = fixture.clinic.doctor(facility, Some(15)).await;
    let visit = fixture.clinic.scheduled(facility, doctor, "2026-03-01", "09:00").await;
    let update = "UPDATE appointments SET department_id = $1 WHERE id = $2";
    fixture.clinic.client.execute(update, &[&department, &visit]).await.expect("can be set");
    visit
}

#[tokio::test]
async fn the_cases_own_department_comes_first_then_the_visits_then_the_fallback() {
    let fixture = CaseFixture::new().await;
    let [visits, fallback] = [fixture.department(fixture.facility).await, fixture.department(fixture.facility).await];
    let with = Some(visit(&fixture, fixture.facility, Some(visits)).await);
    let without = Some(visit(&fixture, fixture.facility, None).await);
    let mut expected = vec![];
    for (department, visit, told) in [
        (Some(fixture.department), with, fixture.department),
        (Some(fixture.department), without, fixture.department),
        (None, with, visits),
        (None, without, fallback),
        (None, None, fallback),
    ] {
        expected.push((fixture.open(Case { department, visit, ..fixture.late() }).await, told));
    }
    let outcome = fixture.run(&["--fallback-department", &fallback.to_string()]).await;
    assert_eq!((outcome.count("notifications"), outcome.count("undeliverable")), (5, 0));
    assert_eq!(fixture.told().await, expected);
}

#[tokio::test]
async fn a_case_of_no_department_is_escalated_all_the_same() {
    let fixture = CaseFixture::new().await;
    let without = Some(visit(&fixture, fixture.facility, None).await);
    for visit in [None, without] {
        fixture.open(Case { department: None, visit, ..fixture.late() }).await;
    }
    fixture.open(fixture.late()).await;
    let outcome = fixture.run(&[]).await;
    let counts = ["scanned", "escalated", "notifications", "undeliverable", "skipped", "failed"];
    assert_eq!(counts.map(|key| outcome.count(key)), [3, 3, 1, 2, 0, 0]);
    assert_eq!(fixture.cases().await, ["ESCALATED 1"; 3]);
    assert_eq!(fixture.clinic.count("SELECT count(*) FROM px_case_audits").await, 3);
}

#[tokio::test]
async fn each_facility_has_a_fallback_of_its_own() {
    let fixture = CaseFixture::new().await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let third = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = fixture.department(other).await;
    let mut cases = vec![];
    for facility in [fixture.facility, other, third] {
        cases.push(fixture.open(Case { facility, department: None, ..fixture.late() }).await);
    }
    let (ours, others) = (fixture.department.to_string(), theirs.to_string());
    let outcome = fixture.run(&["--fallback-department", &ours, "--fallback-department", &others]).await;
    assert_eq!((outcome.count("escalated"), outcome.count("undeliverable")), (3, 1));
    assert_eq!(fixture.told().await, [(cases[0], fixture.department), (cases[1], theirs)]);
}

#[tokio::test]
async fn fallbacks_may_be_listed_with_commas() {
    let fixture = CaseFixture::new().await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = fixture.department(other).await;
    for facility in [fixture.facility, other] {
        fixture.open(Case { facility, department: None, ..fixture.late() }).await;
    }
    // As it has to be written in an environment variable.
    let list = format!("{},{theirs}", fixture.department);
    let program = fixture.clinic.program.clone().env("ROUNDS_FALLBACK_DEPARTMENT", &list);
    assert_eq!(program.run(&["escalate-sla", "--as-of", NOW]).await.expect(0).count("undeliverable"), 0);
    assert_eq!(fixture.told().await, [(1, fixture.department), (2, theirs)]);
}

#[tokio::test]
async fn a_department_of_another_facility_is_never_told() {
    let fixture = CaseFixture::new().await;
    // Where a clinic's own tables are mapped with views there is no such constraint.
    fixture.clinic.sql("ALTER TABLE px_cases DROP CONSTRAINT px_cases_assigned_department_id_facility_id_fkey").await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let department = fixture.department(other).await;
    let theirs = Some(department);
    let at_ours = Some(visit(&fixture, fixture.facility, theirs).await);
    let at_theirs = Some(visit(&fixture, other, theirs).await);
    let good = Some(visit(&fixture, fixture.facility, Some(fixture.department)).await);
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
        let case = fixture.open(Case { department, visit, ..fixture.late() }).await;
        expected.extend(ours.then_some((case, fixture.department)));
    }
    let outcome = fixture.run(&["--fallback-department", &department.to_string()]).await;
    assert_eq!((outcome.count("escalated"), outcome.count("undeliverable")), (7, 5), "{outcome:?}");
    assert_eq!(fixture.told().await, expected);
}

#[tokio::test]
async fn a_wrong_department_gives_way_to_the_fallback() {
    let fixture = CaseFixture::new().await;
    fixture.clinic.sql("ALTER TABLE px_cases DROP CONSTRAINT px_cases_assigned_department_id_facility_id_fkey").await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = Some(fixture.department(other).await);
    let visit = Some(visit(&fixture, other, theirs).await);
    let case = fixture.open(Case { department: theirs, visit, ..fixture.late() }).await;
    fixture.run(&["--fallback-department", &fixture.department.to_string()]).await;
    assert_eq!(fixture.told().await, [(case, fixture.department)]);
}

#[tokio::test]
async fn a_fallback_that_cannot_be_used_is_refused() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    let ours = fixture.department.to_string();
    let second = fixture.department(fixture.facility).await.to_string();
    for given in [vec!["4711"], vec!["x"], vec![&ours, "4711"], vec![&ours, &second]] {
        let flags: Vec<&str> = given.iter().flat_map(|id| ["--fallback-department", id]).collect();
        for more in [&[][..], &["--dry-run"]] {
            let outcome = fixture.clinic.run(&[&["escalate-sla", "--as-of", NOW], &flags[..], more].concat()).await;
            assert!([1, 2].contains(&outcome.code), "{given:?}: {outcome:?}");
            assert!(format!("{outcome:?}").to_lowercase().contains("department"), "{outcome:?}");
        }
    }
    assert_eq!(fixture.cases().await, ["OPEN 0"]);
    assert_eq!(fixture.clinic.json("SELECT count(*) AS n FROM notifications").await, json!({"n": 0}));
}

#[tokio::test]
async fn without_a_department_the_managers_are_told_and_without_those_the_admins() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        let (clinic, facility) = (&fixture.clinic, fixture.facility);
        let other = clinic.facility("Asia/Kathmandu", None).await;
        let [manager, admin] = [clinic.user(facility, "MANAGER").await, clinic.user(facility, "HOSPITAL_ADMIN").await];
        for role in ["MANAGER", "HOSPITAL_ADMIN"] {
            clinic.user(other, role).await;
        }
        let department = fixture.open(fixture.late()).await;
        let off = async |user: i64| clinic.sql(&format!("UPDATE users SET active = false WHERE n(id) = {user}")).await;
        let (mut expected, mut undeliverable) = (vec![], 0);
        for told in [Some(manager), Some(admin), None] {
            let case = fixture.open(Case { department: None, ..fixture.late() }).await;
            let explain = ["escalate-sla", "--as-of", NOW, "--explain", &kind.text(case)];
            let said = clinic.run(&explain).await.expect(0).report()["explanation"].to_string();
            match told {
                Some(user) => assert!(said.contains(&format!("but user {},", kind.text(user))), "{said}"),
                None => assert!(said.contains("nobody is told"), "{said}"),
            }
            undeliverable += fixture.run(&[]).await.count("undeliverable");
            expected.extend(told.map(|user| (case, user)));
            off(told.unwrap_or(manager)).await;
        }
        let users = "SELECT n(entity_id), n(recipient_id) FROM notifications WHERE recipient_kind = 'USER' ORDER BY 1";
        let users = clinic.rows(users).await;
        assert_eq!(users.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(i64, i64)>>(), expected);
        assert_eq!(fixture.told().await, [(department, fixture.department)], "a department needs no manager");
        assert_eq!(undeliverable, 1);
    }
}
