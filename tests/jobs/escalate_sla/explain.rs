//! `rounds escalate-sla --explain`: why a case was escalated, or was not.

use serde_json::{Value, json};

use super::super::owed;
use super::{Case, CaseFixture, LATE, NOW};
use crate::support::keys::Kind;

/// What is said of a case, as text and as JSON; the text is one paragraph and the same as the JSON's.
async fn explained(fixture: &CaseFixture, case: i64, more: &[&str]) -> Value {
    let id = fixture.clinic.kind.text(case);
    let args = [&["escalate-sla", "--as-of", NOW, "--explain", &id], more].concat();
    let before = owed::state(&fixture.clinic).await;
    let json = fixture.clinic.run(&[&args[..], &["--output", "json"]].concat()).await.expect(0).report();
    let text = fixture.clinic.run(&[&args[..], &["--output", "text"]].concat()).await.expect(0).stdout;
    assert_eq!(owed::state(&fixture.clinic).await, before, "no run is recorded, and nothing is changed");
    let explanation = json["explanation"].as_str().expect("a text");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&text), words(explanation));
    assert!(!text.trim().contains("\n\n"), "one paragraph: {text}");
    assert_eq!(json["case_id"], id);
    json
}

#[tokio::test]
async fn each_state_is_explained_in_a_paragraph() {
    let fixture = CaseFixture::new().await;
    let late = fixture.late();
    let noon = Some("2026-03-01T12:00:00Z");
    let escalated = Case { status: "ESCALATED", level: 1, escalated: noon, ..late };
    // (what it is, the case, due?)
    let cases = [
        ("due", late, true),
        (
            "due and in progress, for the third time",
            Case { status: "IN_PROGRESS", level: 2, escalated: noon, ..late },
            true,
        ),
        ("due and of no department", Case { department: None, ..late }, true),
        ("active is NULL", Case { active: None, ..late }, true),
        ("due at this instant", Case { due: Some(NOW), ..late }, false),
        ("due later", Case { due: Some("2026-03-02T13:30:00Z"), ..late }, false),
        ("without a due date", Case { due: None, ..late }, false),
        ("not active", Case { active: Some(false), ..late }, false),
        ("resolved", Case { status: "RESOLVED", ..late }, false),
        ("closed", Case { status: "CLOSED", ..late }, false),
        ("at level three", Case { level: 3, escalated: noon, ..late }, false),
        ("escalated", escalated, false),
        ("escalated up to level three", Case { level: 3, ..escalated }, false),
    ];
    let mut said = String::new();
    for (what, case, due) in cases {
        let id = fixture.open(case).await;
        let json = explained(&fixture, id, &[]).await;
        assert_eq!((&json["due"], &json["history"]), (&json!(due), &json!([])), "{what}");
        said += &format!("{what}: {}\n", json["explanation"].as_str().expect("a text"));
    }
    insta::assert_snapshot!("explanations", said);
}

#[tokio::test]
async fn what_it_says_is_what_a_run_does() {
    let fixture = CaseFixture::new().await;
    let mut cases = vec![];
    for status in ["OPEN", "IN_PROGRESS", "ESCALATED", "RESOLVED"] {
        for (level, active, due) in
            [(1, None, LATE), (2, Some(true), NOW), (3, Some(true), LATE), (2, Some(false), LATE)]
        {
            let escalated = Some("2026-03-01T12:00:00Z");
            cases.push(fixture.open(Case { status, level, active, due: Some(due), escalated, ..fixture.late() }).await);
        }
    }
    for again in [&[][..], &["--re-escalate-after", "24h"]] {
        let mut due = vec![];
        for case in &cases {
            if explained(&fixture, *case, again).await["due"] == true {
                due.push(*case);
            }
        }
        let report = fixture.run(again).await.report();
        let raised = "SELECT n(case_id) FROM px_case_audits WHERE run_id = $1::text::uuid ORDER BY 1";
        let run = report["run_id"].as_str().expect("an id");
        let rows = fixture.clinic.client.query(raised, &[&run]).await.expect("can be asked");
        assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), due, "{again:?}");
        assert!(!due.is_empty());
    }
}

#[tokio::test]
async fn what_has_happened_to_it_is_told_with_its_runs() {
    let fixture = CaseFixture::new().await;
    let case = fixture.open(Case { due: Some("2026-03-01T10:00:00Z"), ..fixture.late() }).await;
    let day = ["--re-escalate-after", "24h"];
    let mut runs = vec![];
    for as_of in ["2026-02-28T12:00:00Z", "2026-03-01T11:00:00Z", "2026-03-02T11:30:00Z"] {
        let report = fixture.run_at(as_of, &day).await.report();
        runs.extend((report["escalated"] == 1).then(|| report["run_id"].as_str().expect("an id").to_owned()));
    }
    assert_eq!(runs.len(), 2);
    let json = explained(&fixture, case, &day).await;
    let mut text = serde_json::to_string_pretty(&json).expect("JSON");
    for (number, run) in runs.iter().enumerate() {
        assert!(text.contains(run), "{text}");
        text = text.replace(run, &format!("RUN-{}", number + 1));
    }
    insta::assert_snapshot!("explained_history", text);
}

#[tokio::test]
async fn what_the_application_wrote_about_a_case_is_no_obstacle() {
    let fixture = CaseFixture::new().await;
    let case = fixture.open(fixture.late()).await;
    fixture.run(&[]).await;
    // It has actions of its own, and need not keep to this job's shapes.
    fixture
        .clinic
        .sql(
            "INSERT INTO px_case_audits (case_id, actor, action, before, after, created_at) VALUES
             (1, '7', 'COMMENTED', '{}', '{}', '2026-03-02T11:50Z'),
             (1, '7', 'ESCALATED', '[]', '{\"escalationLevel\": \"CANARY\"}', '2026-03-02T11:55Z')",
        )
        .await;
    let json = explained(&fixture, case, &[]).await;
    assert!(!json.to_string().contains("COMMENTED") && !json.to_string().contains("CANARY"), "{json}");
}

#[tokio::test]
async fn dates_beyond_all_measure_are_explained_too() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let fixture = CaseFixture::of(kind).await;
        let mut wrong = vec![];
        for date in ["-infinity", "infinity", "4713-01-01 BC", "294276-12-31", "0001-01-01"] {
            let (due, late) = (Some(date), fixture.late());
            for case in [Case { due, ..late }, Case { status: "ESCALATED", level: 1, escalated: due, ..late }] {
                let case = kind.text(fixture.open(case).await);
                let outcome = fixture.clinic.run(&["escalate-sla", "--as-of", NOW, "--explain", &case]).await;
                wrong.extend((outcome.code != 0).then(|| format!("{date}: {outcome:?}")));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test]
async fn an_unknown_case_is_an_error() {
    let fixture = CaseFixture::new().await;
    let outcome = fixture.clinic.run(&["escalate-sla", "--as-of", NOW, "--explain", "4711"]).await.expect(2);
    assert_eq!((&outcome.report()["ok"], &outcome.report()["error_code"]), (&json!(false), &json!("UNKNOWN_CASE")));
    assert_eq!(fixture.clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    // What is no key of the table names no case, and is what was given.
    for id in ["x", "99999999999999999999", "1.5"] {
        let outcome = fixture.clinic.run(&["escalate-sla", "--explain", id]).await.expect(2);
        let said = [&outcome.report()["error_code"], &outcome.report()["error_message"]].map(ToString::to_string);
        assert_eq!(said, ["\"UNKNOWN_CASE\"".to_owned(), format!("\"there is no case {id}\"")]);
    }
}
