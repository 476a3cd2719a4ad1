//! What every job owes, and the race with a person who edits a case.

use serde_json::json;

use super::super::owed;
use super::{Case, Desk, LATE, NOW};
use crate::support::{gate, program};

owed::owed_by_the_job!();

#[tokio::test]
async fn a_case_that_the_application_holds_is_left_to_the_next_run() {
    let outcome = Desk::owed(3).await.what_the_application_holds_is_left_to_the_next_run().await;
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 1}));
}

#[tokio::test]
async fn a_dry_run_counts_each_outcome() {
    let desk = Desk::new().await;
    desk.open(desk.late()).await;
    desk.open(Case { department: None, ..desk.late() }).await;
    desk.open(Case { level: 3, escalated: Some(LATE), ..desk.late() }).await;
    let counts = ["scanned", "escalated", "notifications", "undeliverable", "skipped", "failed"];
    for more in [&["--dry-run"][..], &[]] {
        let outcome = desk.run(more).await;
        assert_eq!(counts.map(|key| outcome.count(key)), [3, 2, 1, 1, 1, 0], "{more:?}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"max_level": 1}), "{more:?}");
    }
}

#[tokio::test]
async fn dates_beyond_all_measure_stop_nobody() {
    let desk = Desk::new().await;
    for due in [Some("-infinity"), Some("infinity"), Some("4713-01-01 BC"), Some(LATE)] {
        desk.open(Case { due, ..desk.late() }).await;
    }
    let ages_ago = Some("-infinity");
    desk.open(Case { status: "ESCALATED", level: 1, escalated: ages_ago, ..desk.late() }).await;
    assert_eq!(desk.run(&["--re-escalate-after", "24h"]).await.count("escalated"), 4);
    assert_eq!(desk.cases().await, ["ESCALATED 1", "OPEN 0", "ESCALATED 1", "ESCALATED 1", "ESCALATED 2"]);
}

#[tokio::test]
async fn a_person_who_edits_a_case_at_the_same_moment_wins() {
    let desk = Desk::new().await;
    for _ in 0..6 {
        desk.open(desk.late()).await;
    }
    let second = desk.department(desk.facility).await;
    gate::build_for(&desk.clinic, "px_case_audits", "case_id").await;
    gate::close(&desk.clinic, 1).await;
    // The scan has seen all six; the first batch waits while somebody works.
    let run = desk.clinic.program.start(&["escalate-sla", "--as-of", NOW, "--batch-rows", "1"]);
    gate::reached(&desk.clinic).await;
    for (case, edit) in [
        (2, "status = 'RESOLVED'".to_owned()),
        (3, format!("due_at = '{NOW}'")),
        (4, "active = false".to_owned()),
        (5, "status = 'ESCALATED', escalation_level = 1, escalated_at = '2026-03-02T12:00Z'".to_owned()),
        // Still due, and elsewhere: what is written is what is true when it is written.
        (6, format!("status = 'IN_PROGRESS', assigned_department_id = {second}")),
    ] {
        desk.clinic.sql(&format!("UPDATE px_cases SET {edit} WHERE id = {case}")).await;
    }
    gate::open(&desk.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    owed::balanced(&outcome, "escalated");
    assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (6, 2));
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 4}));
    let expected = ["ESCALATED 1", "RESOLVED 0", "OPEN 0", "OPEN 0", "ESCALATED 1", "ESCALATED 1"];
    assert_eq!(desk.cases().await, expected);
    assert_eq!(desk.told().await, [(1, desk.department), (6, second)]);
    let audits = "SELECT jsonb_agg(jsonb_build_array(case_id, before->'status') ORDER BY id) AS a FROM px_case_audits";
    assert_eq!(desk.clinic.json(audits).await["a"], json!([[1, "OPEN"], [6, "IN_PROGRESS"]]));
}

#[tokio::test]
async fn nobodys_words_come_out() {
    let desk = Desk::new().await;
    let doctor = desk.clinic.doctor(desk.facility, Some(15)).await;
    let visit = Some(desk.clinic.scheduled(desk.facility, doctor, "2026-03-01", "09:00").await);
    for department in [Some(desk.department), Some(desk.department), None] {
        desk.open(Case { visit, department, ..desk.late() }).await;
    }
    desk.clinic
        .sql(
            "UPDATE facilities SET name = 'CANARY-F'; UPDATE departments SET name = 'CANARY-D';
             UPDATE users SET name = 'CANARY-U', email = 'CANARY@example.org';
             UPDATE patients SET mrn = 'CANARY', first_name = 'CANARY-P', last_name = 'CANARY-P', phone = 'CANARY-555';
             UPDATE appointments SET notes = 'CANARY-N';
             UPDATE px_cases SET description = 'CANARY-C', assigned_role = 'CANARY-R'",
        )
        .await;
    owed::fail_before(&desk.clinic, "UPDATE", "px_cases", "NEW.id = 2").await;
    let job = ["escalate-sla", "--as-of", NOW];
    let explain = |id: &'static str| [&job[..], &["--explain", id]].concat();
    let commands = [[&job[..], &["--dry-run"]].concat(), explain("1"), job.to_vec(), explain("1"), explain("2")];
    let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
    let mut out = owed::said(&desk.clinic, &commands).await;
    assert!(out.contains("22000") && out.contains("\"escalated\\\":2"), "there was something to say: {out}");
    // A run that fails altogether has to say something, too.
    desk.clinic.sql("ALTER TABLE px_case_audits RENAME TO \"CANARY_audits\"").await;
    desk.clinic.sql("UPDATE px_cases SET status = 'OPEN' WHERE id = 1").await;
    out += &format!("{:?}", desk.clinic.run(&job).await);
    assert!(out.contains("42P01"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
}
