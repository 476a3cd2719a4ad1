//! Keys and values of any clinic: keys as people write them, levels of any type, cases that are gone.

use serde_json::{Value, json};

use super::super::owed;
use super::{Case, CaseFixture, LATE, NOW, SUBJECT};
use crate::support::keys::Kind;
use crate::support::{gate, program};

/// How cases of which the levels cannot be read are reported.
fn unreadable(ids: &[i64]) -> Value {
    ids.iter().map(|id| json!({"entity": "px_case", "id": id.to_string(), "code": "UNREADABLE_LEVEL"})).collect()
}

#[tokio::test]
async fn a_level_of_any_type_is_judged_or_reported_and_stops_nobody() {
    for (level_type, huge) in [("smallint", "32767"), ("bigint", "9223372036854775807"), ("numeric", "'NaN'")] {
        let fixture = CaseFixture::new().await;
        for level in [0, 1, 0, 0, 0, 2] {
            fixture.open(Case { level, escalated: (level > 0).then_some(LATE), ..fixture.late() }).await;
        }
        fixture
            .clinic
            .sql(&format!(
                "ALTER TABLE px_cases DROP CONSTRAINT px_cases_escalation_level_check,
                                      ALTER escalation_level DROP NOT NULL, ALTER escalation_level TYPE {level_type};
                 UPDATE px_cases SET escalation_level = NULL WHERE id = 3;
                 UPDATE px_cases SET escalation_level = -1 WHERE id = 4;
                 UPDATE px_cases SET escalation_level = {huge} WHERE id = 5"
            ))
            .await;
        let outcome = fixture.clinic.run(SUBJECT.job).await.expect(3);
        owed::balanced(&outcome, "escalated");
        let counts = ["scanned", "escalated", "skipped", "failed"].map(|key| outcome.count(key));
        assert_eq!(counts, [6, 3, 1, 2], "{level_type}: {outcome:?}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"max_level": 1}), "{level_type}");
        assert_eq!(outcome.report()["errors"], unreadable(&[3, 4]), "{level_type}");
        let cases = fixture.cases().await;
        assert_eq!([&cases[0], &cases[1], &cases[5]], ["ESCALATED 1", "ESCALATED 2", "ESCALATED 3"], "{level_type}");
        assert!(cases[2..5].iter().all(|case| case.starts_with("OPEN")), "{level_type}: {cases:?}");
        for case in ["3", "4", "5"] {
            let explain = ["escalate-sla", "--as-of", NOW, "--re-escalate-after", "1h", "--explain", case];
            let report = fixture.clinic.run(&explain).await.expect(0).report();
            assert_eq!(report["due"], false);
            let text = report["explanation"].as_str().expect("a text");
            let why = ["its level is no number from 0 to 3", "level 3 is the highest"];
            assert!(why.iter().any(|why| text.contains(why)), "{text}");
        }
    }
}

#[tokio::test]
async fn the_history_of_a_case_that_is_gone_stays_and_blocks_nothing() {
    for kind in Kind::ALL {
        let fixture = CaseFixture::of(kind).await;
        for _ in 0..2 {
            fixture.open(fixture.late()).await;
        }
        assert_eq!(fixture.run(&[]).await.count("escalated"), 2);
        fixture.clinic.sql("DELETE FROM px_cases WHERE id = k(1)").await;
        fixture.open(fixture.late()).await;
        let again = ["--re-escalate-after", "1h"];
        let outcome = fixture.run_at("2026-03-02T14:00:00Z", &again).await;
        assert_eq!((outcome.count("scanned"), outcome.count("escalated")), (2, 2), "{kind:?}");
        let audits = "SELECT jsonb_agg(n(case_id) ORDER BY id) AS c FROM px_case_audits";
        assert_eq!(fixture.clinic.json(audits).await["c"], json!([1, 2, 2, 3]), "{kind:?}");
        let gone = ["escalate-sla", "--as-of", NOW, "--explain", &kind.text(1)];
        assert_eq!(fixture.clinic.run(&gone).await.expect(2).report()["error_code"], "UNKNOWN_CASE", "{kind:?}");
    }
}

#[tokio::test]
async fn a_case_that_is_deleted_between_look_and_change_is_no_longer_due() {
    let fixture = CaseFixture::new().await;
    for _ in 0..3 {
        fixture.open(fixture.late()).await;
    }
    gate::build_for(&fixture.clinic, "px_case_audits", "case_id").await;
    gate::close(&fixture.clinic, 1).await;
    let run = fixture.clinic.program.start(&["escalate-sla", "--as-of", NOW, "--batch-rows", "1"]);
    gate::reached(&fixture.clinic).await;
    fixture.clinic.sql("DELETE FROM px_cases WHERE id = 2").await;
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    owed::balanced(&outcome, "escalated");
    assert_eq!((outcome.count("escalated"), &outcome.report()["skipped_by_reason"]), (2, &json!({"changed": 1})));
    assert_eq!(fixture.cases().await, ["ESCALATED 1"; 2]);
}

#[tokio::test]
async fn a_key_may_be_written_in_any_form_that_the_server_reads() {
    for (kind, form) in [
        (Kind::Bigint, (|id| format!("00{id}")) as fn(i64) -> String),
        (Kind::Uuid, |id| format!("{{{}}}", Kind::Uuid.text(id).to_uppercase())),
        (Kind::TextViews, |id| Kind::TextViews.text(id)),
    ] {
        let fixture = CaseFixture::of(kind).await;
        let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
        let theirs = fixture.department(other).await;
        fixture.open(Case { department: None, ..fixture.late() }).await;
        let case = fixture.open(Case { facility: other, department: None, ..fixture.late() }).await;
        let [facility, department, id] = [other, theirs, case].map(form);
        let more = ["--facility", &facility, "--fallback-department", &department];
        let explain = [&["escalate-sla", "--as-of", NOW, "--explain", &id], &more[..]].concat();
        let report = fixture.clinic.run(&explain).await.expect(0).report();
        assert_eq!((&report["case_id"], &report["due"]), (&json!(kind.text(case)), &json!(true)), "{report}");
        let told = format!("of facility {} is OPEN", kind.text(other));
        let department = format!("department {} is told", kind.text(theirs));
        let text = report["explanation"].as_str().expect("a text");
        assert!(text.contains(&told) && text.contains(&department), "{text}");
        let user = fixture.clinic.user(other, "SUPERVISOR").await;
        let outcome = fixture.run(&[&more[..], &["--actor", &form(user)]].concat()).await;
        assert_eq!((outcome.count("escalated"), fixture.told().await), (1, vec![(case, theirs)]), "{kind:?}");
        let actors = "SELECT (SELECT actor FROM px_case_audits), (SELECT actor FROM cron_job_runs) AS run";
        let actors = fixture.clinic.json(actors).await;
        assert_eq!((&actors["actor"], &actors["run"]), (&json!(kind.text(user)), &json!(kind.text(user))), "{kind:?}");
        let report = fixture.clinic.run(&explain).await.expect(0).report();
        assert!(report["explanation"].as_str().is_some_and(|text| !text.contains("another facility")), "{report}");
        assert_eq!(report["history"].as_array().map(Vec::len), Some(1), "{report}");
    }
}

#[tokio::test]
async fn what_is_no_key_names_no_facility_and_no_department() {
    for kind in Kind::ALL {
        let fixture = CaseFixture::of(kind).await;
        fixture.open(fixture.late()).await;
        for flag in ["--facility=", "--fallback-department="] {
            for id in ["x y", "99999999999999999999", "{\"", "NULL"] {
                let outcome = fixture.clinic.run(&["escalate-sla", "--as-of", NOW, &format!("{flag}{id}")]).await;
                let report = outcome.expect(2).report();
                assert_eq!(report["error_code"], "UNKNOWN_ARGUMENT", "{kind:?} {flag}{id}: {report}");
                let what = report["error_message"].as_str().expect("a text");
                assert!(what.contains(id) && what.contains("there is no"), "{what}");
            }
        }
        assert_eq!(fixture.cases().await, ["OPEN 0"]);
    }
}
