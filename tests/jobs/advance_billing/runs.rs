//! Many runs at once, people at work on the same cases, and what is read of it afterwards.

use serde_json::json;

use super::{BillingFixture, NOW, PAID, PENDING};
use crate::support::{connect, gate, program, server};

#[tokio::test]
async fn ten_runs_of_both_stages_at_once_take_each_case_one_step_and_lose_no_cent() {
    let fixture = BillingFixture::new().await;
    fixture
        .clinic
        .sql(&format!(
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
             SELECT {}, {}, CASE WHEN n % 2 = 0 THEN 10 ELSE 15 END, n * 0.37 FROM generate_series(1, 10000) n",
            fixture.facility, fixture.patient
        ))
        .await;
    let start = |stage: &[&str]| {
        fixture.clinic.program.start(&[stage, &["--confirm-items", "10000", "--batch-rows", "100"]].concat())
    };
    let runs: Vec<_> = (0..10).map(|n| start(if n % 2 == 0 { PENDING } else { PAID })).collect();
    let (mut advanced, mut cents) = (0, 0);
    for run in runs {
        let report = program::finish(run).await.expect(0).report();
        advanced += report["advanced"].as_i64().unwrap_or(0);
        let money = report["metrics"]["money_moved"].as_str().unwrap_or("0.00").replace('.', "");
        cents += money.parse::<i64>().expect("digits");
    }
    assert_eq!(advanced, 10_000);
    assert_eq!(fixture.statuses().await, [(15, 5000), (20, 5000)]);
    let steps = "SELECT count(*) AS steps, count(DISTINCT case_id) AS cases,
                        count(*) FILTER (WHERE (from_status, to_status) = (10, 15)) AS pending,
                        count(*) FILTER (WHERE (from_status, to_status) = (15, 20)) AS paid
                 FROM surgical_case_status_history";
    assert_eq!(
        fixture.clinic.json(steps).await,
        json!({"steps": 10_000, "cases": 10_000, "pending": 5000, "paid": 5000})
    );
    let sum = "SELECT (sum(pay_amount) * 100)::bigint FROM surgical_cases";
    assert_eq!(fixture.clinic.count(sum).await, cents);
    // A day later those that have waited go on, and only they.
    let day_later = ["advance-billing", "--stage", "paid", "--as-of", "2026-03-03T08:00:00Z"];
    let report = fixture.run(&day_later, &["--confirm-items", "10000"]).await.report();
    assert_eq!((&report["advanced"], &report["skipped"]), (&json!(5000), &json!(0)));
    assert_eq!(fixture.statuses().await, [(20, 10_000)]);
}

/// What a person makes of case 1 between a run's look and its change.
async fn meanwhile(edit: &str) -> (BillingFixture, program::Outcome) {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 2).await;
    gate::build_for(&fixture.clinic, "surgical_case_status_history", "case_id").await;
    gate::close(&fixture.clinic, 2).await;
    // In key order backwards, so that case 1 is still to come: each is a batch of its own.
    fixture.clinic.sql("UPDATE surgical_cases SET id = DEFAULT WHERE id = 1").await;
    let run = fixture.clinic.program.start(&[PENDING, &["--batch-rows", "1"]].concat());
    gate::reached(&fixture.clinic).await;
    fixture.clinic.sql(&format!("UPDATE surgical_cases SET {edit} WHERE id = 3")).await;
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    super::owed::balanced(&outcome, "advanced");
    (fixture, outcome)
}

#[tokio::test]
async fn a_case_that_a_person_changes_between_look_and_change_is_left_alone() {
    for edit in ["case_status = 8", "case_status = 15", "case_status = 500", "active = false"] {
        let (fixture, outcome) = meanwhile(edit).await;
        assert_eq!((outcome.count("scanned"), outcome.count("advanced")), (2, 1), "{edit}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}), "{edit}");
        let touched = "SELECT count(*) FROM surgical_case_status_history WHERE n(case_id) = 3";
        assert_eq!(fixture.clinic.count(touched).await, 0, "{edit}");
    }
    let (fixture, outcome) = meanwhile("pay_amount = 99.99").await;
    assert_eq!(outcome.report()["metrics"]["money_moved"], "110.00", "what it is when it moves");
    assert_eq!(fixture.statuses().await, [(15, 2)]);
}

#[tokio::test]
async fn a_case_that_is_held_for_a_moment_is_waited_for() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    let holder = connect(&server().url(&fixture.clinic.database)).await;
    holder.batch_execute("BEGIN; UPDATE surgical_cases SET pay_amount = 1 WHERE id = 2").await.expect("held");
    let run = fixture.clinic.program.start(PENDING);
    fixture.clinic.waiting(1).await;
    holder.batch_execute("COMMIT").await.expect("let go");
    let outcome = program::finish(run).await.expect(0);
    assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (3, 0), "{outcome:?}");
    assert_eq!(outcome.report()["metrics"]["money_moved"], "21.02");
}

/// The step that a run waited for was made by the other stage: it is young, whatever the run saw before it waited.
#[tokio::test]
async fn a_case_that_was_waited_for_is_judged_by_what_was_done_meanwhile() {
    let fixture = BillingFixture::new().await;
    fixture.cases(15, 1).await;
    let run = "00000000-0000-4000-8000-000000000001";
    // As another run would, which a person had sent it back for.
    let holder = connect(&server().url(&fixture.clinic.database)).await;
    let step = format!(
        "BEGIN; UPDATE surgical_cases SET case_status = 15, updated_ts = '{NOW}' WHERE id = 1;
         INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, created_at)
         VALUES (1, 10, 15, 'system', '{run}', '{NOW}')"
    );
    holder.batch_execute(&step).await.expect("held");
    let waiting = fixture.clinic.program.start(PAID);
    fixture.clinic.waiting(1).await;
    holder.batch_execute("COMMIT").await.expect("let go");
    let outcome = program::finish(waiting).await.expect(0);
    assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (0, 1), "{outcome:?}");
    assert_eq!(fixture.statuses().await, [(15, 1)]);
}

#[tokio::test]
async fn when_everything_is_held_it_gives_up_before_its_deadline() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 40).await;
    fixture.clinic.sql("BEGIN; SELECT FROM surgical_cases FOR NO KEY UPDATE").await;
    // A short lease shortens the wait: an eighteenth of it.
    let outcome = fixture.clinic.run(&[PENDING, &["--lease", "2s"]].concat()).await.expect(1);
    assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (0, 40));
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"locked": 40}));
    assert_eq!(outcome.report()["error_code"], "55P03", "a stage that moved nothing is no success");
}

#[tokio::test]
async fn a_stage_without_its_table_is_a_failure_and_never_no_cases() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 1).await;
    assert_eq!(fixture.run(PAID, &[]).await.count("scanned"), 0, "no cases is success");
    fixture.clinic.sql("ALTER TABLE surgical_cases RENAME TO gone").await;
    let outcome = fixture.clinic.run(PENDING).await;
    assert!([1, 2].contains(&outcome.code), "{outcome:?}");
    assert_eq!(outcome.report()["status"], "FAILED");
    fixture.clinic.sql("ALTER TABLE gone RENAME TO surgical_cases; DELETE FROM surgical_case_transitions").await;
    let outcome = fixture.clinic.run(PENDING).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "NO_TRANSITION", "{outcome:?}");
    assert_eq!(fixture.statuses().await, [(10, 1)]);
}

#[tokio::test]
async fn a_transition_that_is_taken_away_while_it_runs_is_made_no_more() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    gate::build_for(&fixture.clinic, "surgical_case_status_history", "case_id").await;
    gate::close(&fixture.clinic, 1).await;
    let run = fixture.clinic.program.start(&[PENDING, &["--batch-rows", "1"]].concat());
    gate::reached(&fixture.clinic).await;
    fixture.clinic.sql("DELETE FROM surgical_case_transitions").await;
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (1, 2), "{outcome:?}");
    assert_eq!(fixture.statuses().await, [(10, 2), (15, 1)]);
}
