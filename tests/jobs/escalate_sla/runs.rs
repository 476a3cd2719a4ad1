//! What every job owes, and the race with a person who edits a case.

use serde_json::json;

use super::super::owed;
use super::{Case, CaseFixture, LATE, NOW};
use crate::support::keys::Kind;
use crate::support::{gate, program};

owed::owed_by_the_job!(CaseFixture);

#[tokio::test]
async fn a_dry_run_counts_each_outcome() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    fixture.open(Case { department: None, ..fixture.late() }).await;
    fixture.open(Case { level: 3, escalated: Some(LATE), ..fixture.late() }).await;
    let counts = ["scanned", "escalated", "notifications", "undeliverable", "skipped", "failed"];
    for more in [&["--dry-run"][..], &[]] {
        let outcome = fixture.run(more).await;
        assert_eq!(counts.map(|key| outcome.count(key)), [3, 2, 1, 1, 1, 0], "{more:?}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"max_level": 1}), "{more:?}");
    }
}

#[tokio::test]
async fn dates_beyond_all_measure_stop_nobody() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        for due in [Some("-infinity"), Some("infinity"), Some("4713-01-01 BC"), Some(LATE)] {
            fixture.open(Case { due, ..fixture.late() }).await;
        }
        let ages_ago = Some("-infinity");
        fixture.open(Case { status: "ESCALATED", level: 1, escalated: ages_ago, ..fixture.late() }).await;
        assert_eq!(fixture.run(&["--re-escalate-after", "24h"]).await.count("escalated"), 4);
        assert_eq!(fixture.cases().await, ["ESCALATED 1", "OPEN 0", "ESCALATED 1", "ESCALATED 1", "ESCALATED 2"]);
    }
}

#[tokio::test]
async fn a_person_who_edits_a_case_at_the_same_moment_wins() {
    let fixture = CaseFixture::new().await;
    for _ in 0..6 {
        fixture.open(fixture.late()).await;
    }
    let second = fixture.department(fixture.facility).await;
    gate::build_for(&fixture.clinic, "px_case_audits", "case_id").await;
    gate::close(&fixture.clinic, 1).await;
    // The scan has seen all six; the first batch waits while somebody works.
    let run = fixture.clinic.program.start(&["escalate-sla", "--as-of", NOW, "--batch-rows", "1"]);
    gate::reached(&fixture.clinic).await;
    for (case, edit) in [
        (2, "status = 'RESOLVED'".to_owned()),
        (3, format!("due_at = '{NOW}'")),
        (4, "active = false".to_owned()),
        (5, "status = 'ESCALATED', escalation_level = 1, escalated_at = '2026-03-02T12:00Z'".to_owned()),
        // Still due, and elsewhere: what is written is what is true when it is written.
        (6, format!("status = 'IN_PROGRESS', assigned_department_id = {second}")),
    ] {
        fixture.clinic.sql(&format!("UPDATE px_cases SET {edit} WHERE id = {case}")).await;
    }
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    owed::balanced(&outcome, "escalated");
    assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (6, 2));
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 4}));
    let expected = ["ESCALATED 1", "RESOLVED 0", "OPEN 0", "OPEN 0", "ESCALATED 1", "ESCALATED 1"];
    assert_eq!(fixture.cases().await, expected);
    assert_eq!(fixture.told().await, [(1, fixture.department), (6, second)]);
    let audits = "SELECT jsonb_agg(jsonb_build_array(case_id, before->'status') ORDER BY id) AS a FROM px_case_audits";
    assert_eq!(fixture.clinic.json(audits).await["a"], json!([["1", "OPEN"], ["6", "IN_PROGRESS"]]));
}

#[tokio::test]
async fn nobodys_words_come_out() {
    let fixture = CaseFixture::new().await;
    let doctor = fixture.clinic.doctor(fixture.facility, Some(15)).await;
    let visit = Some(fixture.clinic.scheduled(fixture.facility, doctor, "2026-03-01", "09:00").await);
    for department in [Some(fixture.department), Some(fixture.department), None] {
        fixture.open(Case { visit, department, ..fixture.late() }).await;
    }
    fixture
        .clinic
        .sql(
            "UPDATE facilities SET name = 'CANARY-F'; UPDATE departments SET name = 'CANARY-D';
             UPDATE users SET name = 'CANARY-U', email = 'CANARY@example.org';
             UPDATE patients SET mrn = 'CANARY', first_name = 'CANARY-P', last_name = 'CANARY-P', phone = 'CANARY-555';
             UPDATE appointments SET notes = 'CANARY-N';
             UPDATE px_cases SET description = 'CANARY-C', assigned_role = 'CANARY-R'",
        )
        .await;
    owed::fail_before(&fixture.clinic, "UPDATE", "px_cases", "NEW.id = 2").await;
    let job = ["escalate-sla", "--as-of", NOW];
    let explain = |id: &'static str| [&job[..], &["--explain", id]].concat();
    let commands = [[&job[..], &["--dry-run"]].concat(), explain("1"), job.to_vec(), explain("1"), explain("2")];
    let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
    let mut out = owed::said(&fixture.clinic, &commands).await;
    assert!(out.contains("22000") && out.contains("\"escalated\\\":2"), "there was something to say: {out}");
    // A run that fails altogether has to say something, too.
    fixture.clinic.sql("ALTER TABLE px_case_audits RENAME TO \"CANARY_audits\"").await;
    fixture.clinic.sql("UPDATE px_cases SET status = 'OPEN' WHERE id = 1").await;
    out += &format!("{:?}", fixture.clinic.run(&job).await);
    assert!(out.contains("42P01"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
}
