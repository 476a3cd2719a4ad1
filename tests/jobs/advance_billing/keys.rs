//! Keys and values of any clinic: ids as people write them, amounts and statuses of any type, cases that are gone.

use std::io::Write;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::super::owed;
use super::{BillingFixture, HAND, PAID, PENDING};
use crate::support::keys::Kind;
use crate::support::{gate, program};

/// The names of cases in a list of a report, in order.
fn named(report: &Value, list: &str) -> Vec<String> {
    let entries = report[list].as_array().unwrap_or_else(|| panic!("no {list}: {report}"));
    entries.iter().map(|entry| entry["case_id"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_case_has_one_id_however_it_is_written() {
    for (kind, forms) in [
        (Kind::Bigint, ["007", "7", "+7", "03", " 3 "].map(str::to_owned)),
        (
            Kind::Uuid,
            [
                format!("{{{}}}", Kind::Uuid.text(7)),
                Kind::Uuid.text(7),
                Kind::Uuid.text(7).replace('-', ""),
                Kind::Uuid.text(3).replace('-', ""),
                Kind::Uuid.text(3),
            ],
        ),
        (Kind::TextViews, [7, 7, 7, 3, 3].map(|id| Kind::TextViews.text(id))),
    ] {
        let fixture = BillingFixture::of(kind).await;
        fixture.cases(10, 7).await;
        let forms = forms.each_ref().map(String::as_str);
        let unknown = kind.text(99);
        let args = [&["--case"], &forms[..], &[&unknown]].concat();
        let report = fixture.run(PENDING, &args).await.report();
        assert_eq!(named(&report, "updated"), [7, 3].map(|id| kind.text(id)), "{kind:?}");
        assert_eq!(named(&report, "exceptions"), [kind.text(99)], "{kind:?}");
        assert_eq!(report["scanned"], 3, "{kind:?}");
        let recorded = "SELECT jsonb_agg(case_id ORDER BY case_id) AS c FROM surgical_case_status_history";
        assert_eq!(fixture.clinic.json(recorded).await["c"], json!([3, 7].map(|id| kind.text(id))), "{kind:?}");
        let report = fixture.run(PENDING, &args).await.report();
        assert_eq!(named(&report, "exceptions"), [7, 3, 99].map(|id| kind.text(id)), "{kind:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_no_key_refuses_the_request_and_is_what_was_given() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    for ids in [&["one"][..], &["1", "2", "one"], &["3", "one", "two"], &["1", "9223372036854775808", "2"]] {
        for more in [&[][..], &["--dry-run"]] {
            let outcome = fixture.clinic.run(&[PENDING, more, &["--case"], ids].concat()).await.expect(2);
            let report = outcome.report();
            let bad = ids.iter().find(|id| id.parse::<i64>().is_err()).expect("one");
            let message = format!("looking at the cases: --case: there is no case {bad}; nothing was changed");
            assert_eq!((&report["error_code"], &report["error_message"]), (&json!("UNKNOWN_CASE"), &json!(message)));
        }
    }
    // Numbers are keys, and there are no such cases.
    let report = fixture.run(PENDING, &["--case=0", "--case=-1", "--case=3"]).await.report();
    assert_eq!(
        (named(&report, "exceptions"), named(&report, "updated")),
        (vec!["0".into(), "-1".into()], vec!["3".into()])
    );
    assert_eq!(fixture.in_order().await, [10, 10, 15]);
}

#[tokio::test]
async fn a_word_of_a_file_that_names_no_case_is_not_repeated_where_keys_are_text() {
    let kind = Kind::TextViews;
    let fixture = BillingFixture::of(kind).await;
    fixture.cases(10, 2).await;
    let mut file = NamedTempFile::new().expect("a place for files");
    let content = format!("{}\nCANARY Doe\n4711\n{}\n1907-05-09", kind.text(2), kind.text(1));
    file.write_all(content.as_bytes()).expect("writable");
    let path = file.path().to_str().expect("UTF-8");
    let outcome = fixture.run(PENDING, &["--log-level", "debug", "--cases-file", path]).await;
    assert_eq!(named(&outcome.report(), "updated"), [2, 1].map(|id| kind.text(id)));
    assert_eq!(named(&outcome.report(), "exceptions"), ["line 2", "line 2", "4711", "line 5"]);
    let all = format!("{outcome:?} {}", owed::state(&fixture.clinic).await);
    assert!(!all.contains("CANARY") && !all.contains("1907-05-09"), "{all}");
    // On the command line it is an id, and nothing else.
    let report = fixture.run(PENDING, &["--case", "no-such", &kind.text(1)]).await.report();
    assert_eq!(named(&report, "exceptions"), ["no-such".to_owned(), kind.text(1)]);
}

#[tokio::test]
async fn an_amount_that_is_none_moves_as_nothing_and_is_reported() {
    for (amount_type, amount) in [
        ("numeric", "'NaN'"),
        ("numeric", "'Infinity'"),
        ("numeric", "1e130000"),
        ("double precision", "'NaN'"),
        ("double precision", "'-Infinity'"),
        ("double precision", "1e308"),
        ("bigint", "9223372036854775807"),
    ] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, 4).await;
        fixture
            .clinic
            .sql(&format!(
                "ALTER TABLE surgical_cases DROP CONSTRAINT surgical_cases_pay_amount_check;
                 ALTER TABLE surgical_cases ALTER pay_amount TYPE {amount_type};
                 UPDATE surgical_cases SET pay_amount = 10;
                 UPDATE surgical_cases SET pay_amount = {amount} WHERE id IN (2, 3)"
            ))
            .await;
        let bare = fixture.clinic.run(HAND).await.expect(2).report();
        assert_eq!(bare["stages"][0]["worth"], "20.00", "{amount_type} {amount}");
        let outcome = fixture.run(PENDING, &["--batch-rows", "3"]).await;
        let metrics = &outcome.report()["metrics"];
        assert_eq!(metrics["money_moved"], "20.00", "{amount_type} {amount}");
        assert_eq!(metrics["amounts_unreadable"], 2, "{amount_type} {amount}");
        assert!(outcome.stderr.contains("2 of the advanced cases"), "{}", outcome.stderr);
        assert_eq!(fixture.statuses().await, [(15, 4)], "{amount_type} {amount}");
    }
    // Sums have an end, too.
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 50).await;
    let large = "ALTER TABLE surgical_cases ALTER pay_amount TYPE numeric; UPDATE surgical_cases SET pay_amount = 1e13";
    fixture.clinic.sql(large).await;
    assert_eq!(fixture.run(PENDING, &[]).await.report()["metrics"]["money_moved"], "500000000000000.00");
}

#[tokio::test]
async fn a_status_of_any_type_is_judged_or_an_exception() {
    for (status_type, huge) in [("smallint", "-7"), ("bigint", "9223372036854775807"), ("numeric", "'NaN'")] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, 4).await;
        fixture
            .clinic
            .sql(&format!(
                "ALTER TABLE surgical_cases DROP CONSTRAINT surgical_cases_case_status_fkey,
                                            ALTER case_status DROP NOT NULL, ALTER case_status TYPE {status_type};
                 ALTER TABLE surgical_case_transitions DROP CONSTRAINT surgical_case_transitions_from_status_fkey,
                     DROP CONSTRAINT surgical_case_transitions_to_status_fkey,
                     ALTER from_status TYPE {status_type}, ALTER to_status TYPE {status_type};
                 ALTER TABLE surgical_case_statuses ALTER status TYPE {status_type};
                 UPDATE surgical_cases SET case_status = NULL WHERE id = 1;
                 UPDATE surgical_cases SET case_status = {huge} WHERE id = 2"
            ))
            .await;
        let report = fixture.run(PENDING, &["--case", "1", "2", "3"]).await.report();
        assert_eq!(named(&report, "updated"), ["3"], "{status_type}");
        let none = |id: &str| {
            json!({"case_id": id, "reason": "its case_status is no status", "current_status": null,
                   "attempted_status": 15})
        };
        assert_eq!(report["exceptions"], json!([none("1"), none("2")]), "{status_type}");
        assert_eq!(report["skipped_by_reason"], json!({"unreadable": 2}), "{status_type}");
        assert_eq!(fixture.run(PENDING, &[]).await.count("advanced"), 1, "{status_type}");
        fixture.run(&["advance-billing", "--stage", "paid", "--as-of", "2026-03-04T08:00:00Z"], &[]).await;
        let moved = "SELECT count(*) FROM surgical_cases WHERE case_status = 20";
        assert_eq!(fixture.clinic.count(moved).await, 2, "{status_type}");
    }
}

#[tokio::test]
async fn a_transition_that_cannot_be_read_is_refused_and_moves_nothing() {
    for broken in
        ["min_dwell = NULL", "to_status = NULL", "from_status = NULL", "to_status = 10", "min_dwell = '-1 day'"]
    {
        let fixture = BillingFixture::new().await;
        fixture.cases(15, 2).await;
        fixture
            .clinic
            .sql(&format!(
                "ALTER TABLE surgical_case_transitions DROP CONSTRAINT surgical_case_transitions_check,
                     DROP CONSTRAINT surgical_case_transitions_min_dwell_check, ALTER from_status DROP NOT NULL,
                     ALTER to_status DROP NOT NULL, ALTER min_dwell DROP NOT NULL;
                 UPDATE surgical_case_transitions SET {broken} WHERE stage = 'paid'"
            ))
            .await;
        let report = fixture.clinic.run(PAID).await.expect(2).report();
        assert_eq!(report["error_code"], "BAD_TRANSITION", "{broken}: {report}");
        let report = fixture.run(HAND, &["--to", "20", "--case", "1"]).await.report();
        assert_eq!(named(&report, "exceptions"), ["1"], "{broken}: {report}");
        assert_eq!(fixture.statuses().await, [(15, 2)], "{broken}");
    }
    // A dwell beyond all measure is a long one.
    let fixture = BillingFixture::new().await;
    fixture.cases(15, 2).await;
    fixture.step(1, (10, 15), true, "90 years").await;
    fixture.clinic.sql("UPDATE surgical_case_transitions SET min_dwell = '100000 years' WHERE stage = 'paid'").await;
    assert_eq!(fixture.run(PAID, &[]).await.report()["skipped_by_reason"], json!({"dwell": 1}));
    assert_eq!(fixture.in_order().await, [15, 20]);
}

#[tokio::test]
async fn the_history_of_a_case_that_is_gone_stays_and_blocks_nothing() {
    for kind in Kind::ALL {
        let fixture = BillingFixture::of(kind).await;
        fixture.cases(10, 2).await;
        assert_eq!(fixture.run(PENDING, &[]).await.count("advanced"), 2);
        fixture.clinic.sql("DELETE FROM surgical_cases WHERE id = k(1)").await;
        let report = fixture.run(PAID, &["--min-dwell", "0s", "--case", &kind.text(1), &kind.text(2)]).await.report();
        assert_eq!((named(&report, "updated"), named(&report, "exceptions")), (vec![kind.text(2)], vec![kind.text(1)]));
        assert_eq!(report["exceptions"][0]["reason"], "not found or inactive", "{kind:?}");
        let steps = "SELECT jsonb_agg(n(case_id) ORDER BY id) AS c FROM surgical_case_status_history";
        assert_eq!(fixture.clinic.json(steps).await["c"], json!([1, 2, 2]), "{kind:?}");
    }
}

#[tokio::test]
async fn a_case_that_is_deleted_between_look_and_change_is_no_longer_due() {
    for hand in [&[][..], &["--case", "1", "2", "3"]] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, 3).await;
        gate::build_for(&fixture.clinic, "surgical_case_status_history", "case_id").await;
        gate::close(&fixture.clinic, 1).await;
        let run = fixture.clinic.program.start(&[PENDING, &["--batch-rows", "1"], hand].concat());
        gate::reached(&fixture.clinic).await;
        fixture.clinic.sql("DELETE FROM surgical_cases WHERE id = 2").await;
        gate::open(&fixture.clinic).await;
        let outcome = program::finish(run).await.expect(0);
        owed::balanced(&outcome, "advanced");
        assert_eq!((outcome.count("advanced"), &outcome.report()["skipped_by_reason"]), (2, &json!({"changed": 1})));
        if !hand.is_empty() {
            assert_eq!(named(&outcome.report(), "exceptions"), ["2"]);
        }
    }
}

#[tokio::test]
async fn a_biller_forces_only_cases_of_the_own_facility_whatever_its_key_is() {
    for kind in Kind::ALL {
        let fixture = BillingFixture::of(kind).await;
        let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
        let actor = kind.text(fixture.clinic.user(fixture.facility, "BILLING").await);
        fixture.cases(20, 2).await;
        fixture.clinic.sql(&format!("UPDATE surgical_cases SET facility_id = k({other}) WHERE id = k(2)")).await;
        let force = ["--to", "7", "--force", "--actor", &actor, "--case", &kind.text(1), &kind.text(2)];
        let report = fixture.run(HAND, &force).await.report();
        assert_eq!((named(&report, "updated"), named(&report, "exceptions")), (vec![kind.text(1)], vec![kind.text(2)]));
        assert_eq!(report["exceptions"][0]["reason"], "of another facility than the actor", "{kind:?}");
        let history = fixture.history().await;
        assert_eq!((&history[0]["case_id"], &history[0]["actor"]), (&json!(kind.text(1)), &json!(actor)), "{kind:?}");
    }
}
