//! Cases that a person took up again after they were escalated, and `--take-up-grace`.

use serde_json::json;

use super::super::owed;
use super::{Case, CaseFixture, NOW};
use crate::support::keys::Kind;

const GRACE: [&str; 2] = ["--take-up-grace", "4h"];

#[tokio::test]
async fn a_case_that_was_taken_up_is_escalated_anew_after_the_grace() {
    let fixture = CaseFixture::new().await;
    fixture.open(fixture.late()).await;
    for (as_of, more, level) in [
        ("12:00:00", &GRACE[..], 1),
        ("12:15:00", &GRACE, 1),
        ("15:59:59.999999", &GRACE, 1),
        ("16:00:00", &GRACE, 2),
        ("16:15:00", &GRACE, 2),
        // Without it, whoever touches the case sets it off again.
        ("16:30:00", &[], 3),
    ] {
        fixture.clinic.sql("UPDATE px_cases SET status = 'IN_PROGRESS', updated_at = clock_timestamp()").await;
        let outcome = fixture.run_at(&format!("2026-03-02T{as_of}Z"), more).await;
        let found = fixture.clinic.count("SELECT escalation_level::bigint FROM px_cases").await;
        assert_eq!(found, level, "{as_of}");
        if outcome.count("escalated") == 0 {
            assert_eq!(outcome.report()["skipped_by_reason"], json!({"taken_up": 1}), "{as_of}");
        }
    }
}

#[tokio::test]
async fn the_grace_is_of_what_is_in_progress_again_and_counts_from_the_last_escalation() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        let taken_up =
            Case { status: "IN_PROGRESS", level: 1, escalated: Some("2026-03-02T09:00:00Z"), ..fixture.late() };
        // (the case, what a run makes of it); the grace began at 08:00.
        let cases = [
            (taken_up, "IN_PROGRESS 1"),
            (Case { level: 2, ..taken_up }, "IN_PROGRESS 2"),
            (Case { escalated: Some("2026-03-02T08:00:00.000001Z"), ..taken_up }, "IN_PROGRESS 1"),
            (Case { escalated: Some("2026-03-02T08:00:00Z"), ..taken_up }, "ESCALATED 2"),
            (Case { escalated: Some(NOW), ..taken_up }, "IN_PROGRESS 1"),
            // A clock that was put right since keeps nobody waiting.
            (Case { escalated: Some("2026-03-02T12:00:00.000001Z"), ..taken_up }, "ESCALATED 2"),
            (Case { escalated: None, ..taken_up }, "ESCALATED 2"),
            (Case { status: "OPEN", ..taken_up }, "ESCALATED 2"),
            (Case { level: 0, ..taken_up }, "ESCALATED 1"),
            (Case { level: 3, ..taken_up }, "IN_PROGRESS 3"),
        ];
        for (case, _) in cases {
            fixture.open(case).await;
        }
        let dry = fixture.run(&[&GRACE[..], &["--dry-run"]].concat()).await.report();
        let report = fixture.run(&GRACE).await.report();
        for report in [&dry, &report] {
            assert_eq!([&report["scanned"], &report["escalated"]], [10, 5], "{kind:?}");
            assert_eq!(report["skipped_by_reason"], json!({"taken_up": 4, "max_level": 1}), "{kind:?}");
        }
        assert_eq!(fixture.cases().await, cases.map(|(_, after)| after), "{kind:?}");
    }
}

#[tokio::test]
async fn an_audit_of_ours_counts_where_the_application_forgets_when_a_case_was_escalated() {
    for kind in Kind::ALL {
        let fixture = CaseFixture::of(kind).await;
        fixture.open(fixture.late()).await;
        fixture.run(&[]).await;
        fixture.clinic.sql("UPDATE px_cases SET status = 'IN_PROGRESS', escalated_at = NULL").await;
        for (as_of, level) in [("2026-03-02T15:59:59.999999Z", 1), ("2026-03-02T16:00:00Z", 2)] {
            fixture.run_at(as_of, &GRACE).await;
            let found = fixture.clinic.count("SELECT escalation_level::bigint FROM px_cases").await;
            assert_eq!(found, level, "{kind:?} {as_of}");
        }
    }
}

#[tokio::test]
async fn a_case_within_the_grace_is_explained_and_makes_no_run_late() {
    let fixture = CaseFixture::new().await;
    let escalated = Some("2026-03-02T11:30:00Z");
    let case = fixture.open(Case { status: "IN_PROGRESS", level: 1, escalated, ..fixture.late() }).await;
    let explain = async |more: &[&str]| {
        let id = case.to_string();
        let args = [&["escalate-sla", "--as-of", NOW, "--explain", &id], more].concat();
        fixture.clinic.run(&args).await.expect(0).report()
    };
    assert_eq!(explain(&[]).await["due"], true);
    let json = explain(&GRACE).await;
    let said = json["explanation"].as_str().expect("a text");
    let reason = "leave it alone: it is taken up again, and was escalated less than --take-up-grace ago";
    assert!(said.contains(reason), "{said}");
    assert_eq!(json["due"], false);
    let before = owed::state(&fixture.clinic).await;
    fixture.run(&[&GRACE[..], &["--dry-run"]].concat()).await;
    assert_eq!(owed::state(&fixture.clinic).await, before);
}
