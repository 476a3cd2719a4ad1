//! `rounds escalate-sla`: its rule at every boundary, and what it does to a case.

mod departments;
mod explain;
mod keys;
mod properties;
mod runs;
mod taken_up;

use serde_json::json;

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

const NOW: &str = "2026-03-02T12:00:00Z";
const LATE: &str = "2026-03-02T11:00:00Z";

/// A facility with a department.
struct CaseFixture {
    clinic: Clinic,
    facility: i64,
    department: i64,
}

/// A case to be opened.
#[derive(Clone, Copy)]
struct Case {
    facility: i64,
    department: Option<i64>,
    visit: Option<i64>,
    status: &'static str,
    due: Option<&'static str>,
    level: i32,
    escalated: Option<&'static str>,
    active: Option<bool>,
}

impl CaseFixture {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", None).await;
        let mut fixture = Self { clinic, facility, department: 0 };
        fixture.department = fixture.department(facility).await;
        fixture
    }

    async fn department(&self, facility: i64) -> i64 {
        let insert = "INSERT INTO departments (facility_id, name) VALUES (k($1), 'D') RETURNING n(id)";
        self.clinic.row(insert, &[&facility]).await.get(0)
    }

    /// A case of the fixture's department that is an hour late.
    fn late(&self) -> Case {
        let (facility, department) = (self.facility, Some(self.department));
        let (status, due, active) = ("OPEN", Some(LATE), Some(true));
        Case { facility, department, visit: None, status, due, level: 0, escalated: None, active }
    }

    async fn open(&self, case: Case) -> i64 {
        let Case { facility, department, visit, status, due, level, escalated, active } = case;
        let insert = format!(
            "INSERT INTO px_cases (facility_id, assigned_department_id, appointment_id, status, due_at,
                                   escalation_level, escalated_at, active, description, created_at, updated_at)
             VALUES (k($1), k($2), k($3), '{status}', $4::text::timestamptz, $5::int, $6::text::timestamptz, $7, 'Loud',
                     $8::timestamptz, $8::timestamptz)
             RETURNING n(id)"
        );
        let created = "2026-03-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().expect("an instant");
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&facility, &department, &visit, &due, &level, &escalated, &active, &created];
        self.clinic.row(&insert, &params).await.get(0)
    }

    /// Runs the job as of an instant; everything scanned is accounted for.
    async fn run_at(&self, as_of: &str, more: &[&str]) -> Outcome {
        let outcome = owed::ended(self.clinic.run(&[&["escalate-sla", "--as-of", as_of], more].concat()).await);
        owed::balanced(&outcome, "escalated");
        outcome
    }

    async fn run(&self, more: &[&str]) -> Outcome {
        self.run_at(NOW, more).await
    }

    /// Status and level of all cases.
    async fn cases(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', status, escalation_level) FROM px_cases ORDER BY id";
        self.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
    }

    /// Of which case which department was told.
    async fn told(&self) -> Vec<(i64, i64)> {
        let query = "SELECT n(entity_id), n(recipient_id) FROM notifications
                     WHERE recipient_kind = 'DEPARTMENT' ORDER BY 1, 2";
        self.clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// With so many late cases, as what every job owes sees it.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let fixture = Self::of(kind).await;
        let insert = format!(
            "INSERT INTO px_cases (facility_id, assigned_department_id, due_at)
             SELECT k({}), k({}), '{LATE}' FROM generate_series(1, {things})",
            fixture.facility, fixture.department
        );
        fixture.clinic.sql(&insert).await;
        Owed { subject: &SUBJECT, clinic: fixture.clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["escalate-sla", "--as-of", NOW],
    table: "px_cases",
    written: ("px_case_audits", "case_id"),
    evidence: &[
        ("px_case_audits", "case_id", 1),
        ("(SELECT * FROM px_cases WHERE status = 'ESCALATED' AND escalation_level = 1)", "id", 1),
        ("notifications", "entity_id", 1),
    ],
    entity: "px_case",
    done: "/escalated",
    ..owed::SUBJECT
};

#[tokio::test]
async fn a_case_is_untouched_until_its_due_date_is_past() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        fixture.open(Case { due: Some(NOW), ..fixture.late() }).await;
        fixture.open(Case { due: None, ..fixture.late() }).await;
        for early in ["2026-03-02T11:59:59.999999Z", NOW] {
            assert_eq!(fixture.run_at(early, &[]).await.count("scanned"), 0, "{kind:?} {early}");
            assert_eq!(fixture.cases().await, ["OPEN 0", "OPEN 0"], "{kind:?} {early}");
        }
        let outcome = fixture.run_at("2026-03-02T12:00:00.000001Z", &[]).await;
        assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (1, 1));
        assert_eq!(fixture.cases().await, ["ESCALATED 1", "OPEN 0"]);
    }
}

#[tokio::test]
async fn only_active_open_cases_below_level_three_are_escalated() {
    let fixture = CaseFixture::new().await;
    let mut expected = vec![];
    for status in ["OPEN", "IN_PROGRESS", "ESCALATED", "RESOLVED", "CLOSED"] {
        for active in [Some(true), None, Some(false)] {
            for level in 0..4 {
                if status == "ESCALATED" && level == 0 {
                    continue;
                }
                let escalated = (level > 0).then_some("2026-03-01T12:00:00Z");
                fixture.open(Case { status, active, level, escalated, ..fixture.late() }).await;
                let due = ["OPEN", "IN_PROGRESS"].contains(&status) && active != Some(false) && level < 3;
                let after = if due { format!("ESCALATED {}", level + 1) } else { format!("{status} {level}") };
                expected.push(after);
            }
        }
    }
    let outcome = fixture.run(&[]).await;
    assert_eq!(fixture.cases().await, expected);
    // Two statuses, two ways of being active, four levels; the fourth is the highest.
    assert_eq!((outcome.count("scanned"), outcome.count("escalated"), outcome.count("skipped")), (16, 12, 4));
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"max_level": 4}));
    assert_eq!(outcome.count("notifications"), 12);
}

#[tokio::test]
async fn a_reopened_case_at_level_three_is_skipped_each_time_and_nobody_is_told() {
    let fixture = CaseFixture::new().await;
    let escalated = Some("2026-03-01T12:00:00Z");
    fixture.open(Case { status: "IN_PROGRESS", level: 3, escalated, ..fixture.late() }).await;
    for _ in 0..2 {
        let outcome = fixture.run(&["--re-escalate-after", "1h"]).await;
        assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (1, 0));
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"max_level": 1}));
    }
    assert_eq!(fixture.cases().await, ["IN_PROGRESS 3"]);
    let traces = "SELECT (SELECT count(*) FROM px_case_audits) + (SELECT count(*) FROM notifications)";
    assert_eq!(fixture.clinic.count(traces).await, 0);
}

#[tokio::test]
async fn a_facility_alone_can_be_served() {
    let fixture = CaseFixture::new().await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let theirs = Some(fixture.department(other).await);
    fixture.open(fixture.late()).await;
    fixture.open(Case { facility: other, department: theirs, ..fixture.late() }).await;
    let level_three = Case { level: 3, escalated: Some(LATE), ..fixture.late() };
    fixture.open(level_three).await;
    let outcome = fixture.run(&["--facility", &other.to_string()]).await;
    assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (1, 1));
    assert_eq!(fixture.cases().await, ["OPEN 0", "ESCALATED 1", "OPEN 3"]);
}

#[tokio::test]
async fn an_unknown_facility_is_refused() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    for facility in ["4711", "x", "0", "-1"] {
        let facility = &format!("--facility={facility}");
        let outcome = fixture.clinic.run(&["escalate-sla", "--as-of", NOW, facility]).await;
        assert!([1, 2].contains(&outcome.code), "{outcome:?}");
        assert!(format!("{outcome:?}").to_lowercase().contains("facility"), "{outcome:?}");
    }
    assert_eq!(fixture.cases().await, ["OPEN 0"]);
}

#[tokio::test]
async fn a_case_is_escalated_with_evidence() {
    let fixture = CaseFixture::new().await;
    let doctor = fixture.clinic.doctor(fixture.facility, Some(15)).await;
    let visit = Some(fixture.clinic.scheduled(fixture.facility, doctor, "2026-03-01", "09:00").await);
    let escalated = Some("2026-02-20T12:00:00Z");
    let case = fixture.open(Case { visit, status: "IN_PROGRESS", level: 1, escalated, ..fixture.late() }).await;
    let before = fixture.clinic.json("SELECT * FROM px_cases").await;
    let report = fixture.run(&[]).await.report();
    assert_eq!(report["ok"], true);
    let mut after = before.clone();
    for (key, value) in [
        ("status", json!("ESCALATED")),
        ("escalation_level", json!(2)),
        ("escalated_at", json!("2026-03-02T12:00:00+00:00")),
    ] {
        after[key] = value;
    }
    let mut found = fixture.clinic.json("SELECT * FROM px_cases").await;
    // Nobody promised what becomes of it.
    found["updated_at"] = before["updated_at"].clone();
    assert_eq!(found, after, "nothing else changed");
    let audit = json!({
        "case_id": case.to_string(),
        "actor": "system",
        "action": "ESCALATED",
        "before": {"status": "IN_PROGRESS", "escalationLevel": 1},
        "after": {"status": "ESCALATED", "escalationLevel": 2},
        "created_at": "2026-03-02T12:00:00+00:00",
        "told_at": "2026-03-02T12:00:00+00:00",
        "run_id": report["run_id"],
    });
    assert_eq!(fixture.clinic.json("SELECT to_jsonb(a) - 'id' AS a FROM px_case_audits a").await["a"], audit);
}

#[tokio::test]
async fn who_ran_it_by_hand_is_the_actor() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    let actor = fixture.clinic.user(fixture.facility, "HOSPITAL_ADMIN").await.to_string();
    fixture.run(&["--actor", &actor]).await;
    assert_eq!(fixture.clinic.json("SELECT actor FROM px_case_audits").await, json!({"actor": actor}));
}

#[tokio::test]
async fn the_department_is_told_in_the_right_words() {
    let fixture = CaseFixture::new().await;
    for level in 0..3 {
        let escalated = (level > 0).then_some("2026-02-20T12:00:00Z");
        fixture.open(Case { level, escalated, ..fixture.late() }).await;
    }
    let report = fixture.run(&[]).await.report();
    insta::assert_snapshot!("px_case_escalated", owed::notices(&fixture.clinic, &report["run_id"]).await);
}

#[tokio::test]
async fn escalated_cases_are_raised_again_only_when_that_is_asked_for() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        // (level, due, escalated, active, raised?): 24 hours before now is noon of March 1.
        let cases = [
            (1, Some(LATE), "2026-03-01T12:00:00.000001Z", Some(true), false),
            (1, Some(LATE), "2026-03-01T12:00:00Z", Some(true), true),
            (2, Some(LATE), "2026-03-01T11:59:59.999999Z", None, true),
            (2, Some("2026-03-02T11:59:59.999999Z"), "2026-02-01T12:00:00Z", Some(true), true),
            (1, Some(NOW), "2026-02-01T12:00:00Z", Some(true), false),
            (1, None, "2026-02-01T12:00:00Z", Some(true), false),
            (1, Some(LATE), "2026-02-01T12:00:00Z", Some(false), false),
            (3, Some(LATE), "2026-02-01T12:00:00Z", Some(true), false),
        ];
        let mut expected = vec![];
        for (level, due, escalated, active, raised) in cases {
            let escalated = Some(escalated);
            fixture.open(Case { status: "ESCALATED", level, due, escalated, active, ..fixture.late() }).await;
            expected.push(format!("ESCALATED {}", level + i32::from(raised)));
        }
        assert_eq!(fixture.run(&[]).await.count("scanned"), 0, "off by default");
        let outcome = fixture.run(&["--re-escalate-after", "24h"]).await;
        assert_eq!((outcome.count("scanned"), outcome.count("escalated"), outcome.count("skipped")), (3, 3, 0));
        assert_eq!(fixture.cases().await, expected, "{kind:?}");
        let raised = "SELECT count(*) FROM px_cases c JOIN px_case_audits a ON a.case_id = c.id::text
                      WHERE c.escalated_at = '2026-03-02T12:00Z' AND a.before->>'status' = 'ESCALATED'
                        AND (a.after->>'escalationLevel')::int = c.escalation_level";
        assert_eq!(fixture.clinic.count(raised).await, 3);
        assert_eq!(
            fixture.run(&["--re-escalate-after", "24h"]).await.count("scanned"),
            0,
            "a second run changes nothing"
        );
    }
}

#[tokio::test]
async fn a_case_that_nobody_cares_for_goes_up_to_level_three_and_no_further() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    let day = ["--re-escalate-after", "24h"];
    for (as_of, level) in [
        (NOW, 1),
        ("2026-03-03T11:59:59.999999Z", 1),
        ("2026-03-03T12:00:00Z", 2),
        ("2026-03-04T11:00:00Z", 2),
        ("2026-03-04T12:00:00Z", 3),
        ("2026-03-05T12:00:00Z", 3),
        ("2026-04-05T12:00:00Z", 3),
    ] {
        fixture.run_at(as_of, &day).await;
        assert_eq!(fixture.cases().await, [format!("ESCALATED {level}")], "{as_of}");
    }
    let levels = "SELECT array_agg(body ORDER BY id) AS b, count(DISTINCT dedupe_key) AS k FROM notifications";
    let words = |n| format!("Case has been escalated due to SLA overdue (Level {n}). Immediate attention required.");
    assert_eq!(fixture.clinic.json(levels).await, json!({"b": [words(1), words(2), words(3)], "k": 3}));
}

#[tokio::test]
async fn a_case_that_was_reopened_is_escalated_and_told_again() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    fixture.run(&[]).await;
    fixture.clinic.sql("UPDATE px_cases SET status = 'OPEN'").await;
    assert_eq!(fixture.run(&[]).await.count("notifications"), 1);
    // Set back by hand, it comes to the same level a second time: that is another event.
    fixture.clinic.sql("UPDATE px_cases SET status = 'OPEN', escalation_level = 0").await;
    assert_eq!(fixture.run(&[]).await.count("notifications"), 1);
    let levels = "SELECT array_agg(after->'escalationLevel' ORDER BY id) AS l FROM px_case_audits";
    assert_eq!(fixture.clinic.json(levels).await["l"], json!([1, 2, 1]));
    assert_eq!(fixture.told().await.len(), 3);
}
