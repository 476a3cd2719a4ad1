//! The operator's bulk form: these cases, in this order, and of each what became of it.

use std::io::Write;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::super::owed;
use super::{BillingFixture, HAND, NOW, PAID, PENDING};
use crate::support::program::{self, Outcome};
use crate::support::proxy::{Act, Proxy, Trigger};
use crate::support::{Program, gate};

const GONE: &str = "not found or inactive";
const LOWER: &str = "cannot update to lower status without --force";
const ALREADY: &str = "already at target value";
const NO_WAY: &str = "no transition leads to that status without --force";
const YOUNG: &str = "moved here by this job less than --min-dwell ago";
const THEIRS: &str = "of another facility than the actor";

/// A file of the test's own that names cases.
struct File(NamedTempFile);

impl File {
    fn new(content: &[u8]) -> Self {
        let mut file = NamedTempFile::new().expect("a place for files");
        file.write_all(content).expect("writable");
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }
}

/// The ids of a list of a report, in order.
fn named(report: &Value, list: &str) -> Vec<i64> {
    let entries = report[list].as_array().unwrap_or_else(|| panic!("no {list}: {report}"));
    entries.iter().map(|entry| entry["case_id"].as_str().expect("a text").parse().expect("an id")).collect()
}

fn updated(case: i64, from: i32, to: i32, forced: bool, field: &str) -> Value {
    json!({"case_id": case.to_string(), "previous_status": from, "new_status": to, "forced": forced, "timestamp_field": field})
}

fn exception(case: i64, reason: &str, current: Option<i32>, attempted: i32) -> Value {
    json!({"case_id": case.to_string(), "reason": reason, "current_status": current, "attempted_status": attempted})
}

#[tokio::test]
async fn cases_are_reported_once_each_in_the_order_in_which_they_were_asked_for() {
    for batch in ["1", "2", "1000"] {
        let fixture = BillingFixture::new().await;
        fixture.cases_of(&[10, 7, 10, 8, 10]).await;
        let cases = ["--case", "5", "4", "5", "1", "--case", "99", "4", "3", "2", "1"];
        let report = fixture
            .run(HAND, &[&["--stage", "pending-payment", "--batch-rows", batch], &cases[..]].concat())
            .await
            .report();
        assert_eq!(named(&report, "updated"), [5, 1, 3], "{batch}");
        assert_eq!(named(&report, "exceptions"), [4, 99, 2], "{batch}");
        assert_eq!((&report["scanned"], &report["advanced"]), (&json!(6), &json!(3)), "{batch}");
        let moved = "SELECT count(*) FROM surgical_case_status_history WHERE actor = 'system' AND NOT forced";
        assert_eq!(fixture.clinic.count(moved).await, 3, "{batch}");
    }
}

#[tokio::test]
async fn a_file_names_cases_between_commas_blanks_lines_and_comments() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    for content in [
        "3,1,2",
        "3 1 2\n",
        "3\n1\n2\n",
        "3\r\n1\r\n2\r\n",
        "\u{feff}3\n1\n2",
        "\u{feff}# all of them\r\n3, 1\r\n2",
        "\n\n  3 ,\t1 ,\n,2,\n\n",
        "# 9\n3 # 8, not 7\n1 #\n#\n2#6",
        "3,1,3,2\n1\n2",
    ] {
        let file = File::new(content.as_bytes());
        let report = fixture.run(PENDING, &["--dry-run", "--cases-file", file.path()]).await.report();
        assert_eq!(named(&report, "updated"), [3, 1, 2], "{content:?}");
        assert_eq!(report["exceptions"], json!([]), "{content:?}");
    }
    let file = File::new(b"3,1");
    fixture.run(PENDING, &["--cases-file", file.path()]).await;
    assert_eq!(fixture.in_order().await, [15, 10, 15]);
}

#[tokio::test]
async fn a_file_that_is_missing_names_no_case_or_something_else_is_refused_unread_aloud() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 3).await;
    let before = owed::state(&fixture.clinic).await;
    let refused = async |path: &str| {
        for stage in [PENDING, &[HAND, &["--to", "15"]].concat()] {
            let outcome = fixture.clinic.run(&[stage, &["--cases-file", path]].concat()).await.expect(2);
            assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
            assert!(!outcome.stderr.is_empty(), "it says why");
        }
    };
    for content in [&b""[..], b"\n \r\n", b"# 1\n", b"\xef\xbb\xbf", b",", b"1\n\xffCANARY", b"1\0CANARY"] {
        refused(File::new(content).path()).await;
    }
    refused("/nonexistent/cases").await;
    refused(std::env::temp_dir().to_str().expect("UTF-8")).await;
    assert_eq!(owed::state(&fixture.clinic).await, before);
    // What is no key of the table the database alone can tell.
    for (content, line) in [
        (&b"1\nCANARY\n"[..], 2),
        (b"1 CANARY", 1),
        (b"CANARY,1", 1),
        (b"1,2\n3\n\n2 3 CANARY CANARY-2", 4),
        (b"1;2", 1),
        (b"1.5", 1),
        (b"1e3", 1),
        (b"1\n2\n99999999999999999999", 3),
    ] {
        let file = File::new(content);
        refused(file.path()).await;
        let report = fixture.clinic.run(&[PENDING, &["--cases-file", file.path()]].concat()).await.expect(2).report();
        let message = format!("--cases-file: line {line}: something that is no case id; nothing was changed");
        assert_eq!(report["error_code"], "UNKNOWN_CASE", "{report}");
        assert!(report["error_message"].as_str().is_some_and(|said| said.ends_with(&message)), "{report}");
    }
    assert_eq!((fixture.in_order().await, fixture.history().await), (vec![10; 3], json!([])));
    assert!(!owed::state(&fixture.clinic).await.to_string().contains("CANARY"), "it is not recorded either");
}

#[tokio::test]
async fn an_empty_list_a_negative_status_and_half_a_sentence_are_usage_errors() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 2).await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    let before = owed::state(&fixture.clinic).await;
    for args in [
        &["--stage", "paid", "--case"][..],
        &["--stage", "paid", "--case="],
        &["--case", "1"],
        &["--case", "1", "--to=-1"],
        &["--case", "1", "--to=-1", "--force", "--actor", billing],
        &["--case", "1", "--to", "paid"],
        &["--case", "1", "--to", "2147483648"],
        &["--case", "1", "--to"],
        &["--to", "15"],
        &["--stage", "pending-payment", "--to", "15"],
        &["--stage", "pending-payment", "--force", "--actor", billing],
        &["--to", "15", "--force", "--actor", billing],
        &["--stage", "pending-payment", "--case", "1", "--force", "--actor", billing],
        &["--stage", "unpaid", "--case", "1"],
        &["--stage", "paid", "--case", "1", "--min-dwell=-1h"],
    ] {
        fixture.clinic.run(&[HAND, args].concat()).await.expect(2);
        assert_eq!(owed::state(&fixture.clinic).await, before, "{args:?}");
    }
}

#[tokio::test]
async fn a_status_that_is_none_is_refused() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 1).await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    for to in ["0", "9", "16", "501", "2147483647"] {
        for force in [&[][..], &["--force", "--actor", billing]] {
            let outcome = fixture.clinic.run(&[HAND, &["--case", "1", "--to", to], force].concat()).await.expect(2);
            assert_eq!(outcome.report()["error_code"], "UNKNOWN_STATUS", "{to}");
        }
    }
    assert_eq!((fixture.in_order().await, fixture.history().await), (vec![10], json!([])));
}

#[tokio::test]
async fn more_than_ten_thousand_cases_are_refused_and_ten_thousand_are_not() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 1).await;
    let ids: Vec<String> = (1..=10_001).map(|id| id.to_string()).collect();
    let before = owed::state(&fixture.clinic).await;
    let file = File::new(ids.join("\n").as_bytes());
    let listed: Vec<&str> = [PENDING, &["--case"]].concat().into_iter().chain(ids.iter().map(String::as_str)).collect();
    for args in [&listed, &[PENDING, &["--cases-file", file.path()]].concat()] {
        let outcome = fixture.clinic.run(args).await.expect(2);
        assert!(outcome.stderr.contains("10000"), "{}", outcome.stderr);
        assert_eq!(owed::state(&fixture.clinic).await, before);
    }
    let report = fixture.run(&listed[..listed.len() - 1], &[]).await.report();
    assert_eq!((named(&report, "updated").len(), named(&report, "exceptions").len()), (1, 9999));
}

#[tokio::test]
async fn each_case_that_stays_has_the_reason_why() {
    const MOVED: &str = "";
    // What becomes of cases of status 10, 15 (just moved there by the job), 15, 20, 7, 500, 10 (inactive), and of none.
    let statuses = [10, 15, 15, 20, 7, 500, 10];
    let targets: [(&[&str], i32, [&str; 8]); 7] = [
        (&["--stage", "pending-payment"], 15, [MOVED, ALREADY, ALREADY, LOWER, NO_WAY, LOWER, GONE, GONE]),
        (&["--stage", "paid"], 20, [NO_WAY, YOUNG, MOVED, ALREADY, NO_WAY, LOWER, GONE, GONE]),
        (&["--to", "20"], 20, [NO_WAY, YOUNG, MOVED, ALREADY, NO_WAY, LOWER, GONE, GONE]),
        (&["--to", "20", "--min-dwell", "1h"], 20, [NO_WAY, MOVED, MOVED, ALREADY, NO_WAY, LOWER, GONE, GONE]),
        (&["--to", "10"], 10, [ALREADY, LOWER, LOWER, LOWER, NO_WAY, LOWER, GONE, GONE]),
        (&["--to", "7"], 7, [LOWER, LOWER, LOWER, LOWER, ALREADY, LOWER, GONE, GONE]),
        (&["--to", "500"], 500, [NO_WAY, NO_WAY, NO_WAY, NO_WAY, NO_WAY, ALREADY, GONE, GONE]),
    ];
    for (target, to, fates) in targets {
        let fixture = BillingFixture::new().await;
        fixture.cases_of(&statuses).await;
        fixture.clinic.sql("UPDATE surgical_cases SET active = false WHERE id = 7").await;
        fixture.step(2, (10, 15), true, "1 hour").await;
        let before = fixture.history().await.as_array().map_or(0, Vec::len);
        let report =
            fixture.run(HAND, &[target, &["--case", "1", "2", "3", "4", "5", "6", "7", "8"]].concat()).await.report();
        let field = if to == 15 { "pending_payment_ts" } else { "paid_to_provider_ts" };
        let (mut moved, mut stayed) = (vec![], vec![]);
        let mut after = statuses;
        for (case, fate) in (1..).zip(fates) {
            let current = statuses.get(case as usize - 1).copied();
            if fate == MOVED {
                moved.push(updated(case, statuses[case as usize - 1], to, false, field));
                after[case as usize - 1] = to;
            } else {
                stayed.push(exception(case, fate, current, to));
            }
        }
        assert_eq!((&report["updated"], &report["exceptions"]), (&json!(moved), &json!(stayed)), "{target:?}");
        assert_eq!(fixture.in_order().await, after, "{target:?}");
        assert_eq!(fixture.history().await.as_array().map_or(0, Vec::len), before + moved.len(), "{target:?}");
        let metrics = &report["metrics"];
        assert_eq!((&metrics["updated"], &metrics["excepted"]), (&json!(moved.len()), &json!(stayed.len())));
    }
}

#[tokio::test]
async fn only_a_biller_forces_and_never_a_scheduler() {
    let fixture = BillingFixture::new().await;
    fixture.cases(20, 1).await;
    let mut actors = vec!["4711".to_owned()];
    for role in ["SUPERVISOR", "HOSPITAL_ADMIN", "NURSE", "DOCTOR", "CASE_MANAGER", "AGENT", "MANAGER", "RECEPTIONIST"]
    {
        actors.push(fixture.clinic.user(fixture.facility, role).await.to_string());
    }
    let gone = fixture.clinic.user(fixture.facility, "BILLING").await;
    fixture.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    actors.push(gone.to_string());
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    let force = [HAND, &["--case", "1", "--to", "10", "--force"]].concat();
    let before = owed::state(&fixture.clinic).await;
    let refused = async |program: &Program, more: &[&str]| {
        program.run(&[&force, more].concat()).await.expect(2);
        assert_eq!(owed::state(&fixture.clinic).await, before, "{more:?}");
    };
    let program = &fixture.clinic.program;
    refused(program, &[]).await;
    for actor in &actors {
        refused(program, &["--actor", actor]).await;
        refused(&program.clone().env("ROUNDS_ACTOR", actor), &[]).await;
    }
    for source in ["cron", "external"] {
        let set = program.clone().env("ROUNDS_SOURCE", source);
        refused(program, &["--actor", billing, "--source", source]).await;
        refused(program, &["--actor", billing, "--source", source, "--dry-run"]).await;
        refused(&set, &["--actor", billing]).await;
        refused(&program.clone().env("ROUNDS_SOURCE", "manual"), &["--actor", billing, "--source", source]).await;
        refused(&set.clone().env("ROUNDS_ACTOR", billing), &[]).await;
    }
    let set = program.clone().env("ROUNDS_SOURCE", "cron").env("ROUNDS_ACTOR", billing);
    set.run(&[&force[..], &["--source", "manual"]].concat()).await.expect(0);
    assert_eq!(fixture.in_order().await, [10], "who says manual is a person");
}

#[tokio::test]
async fn a_biller_forces_backwards_and_past_everything_and_it_is_on_record() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[20, 10, 500, 15, 7, 8, 30]).await;
    fixture.step(4, (10, 15), true, "1 hour").await;
    fixture.clinic.sql("UPDATE surgical_cases SET active = false WHERE id = 7").await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    let force = |to| ["--to", to, "--force", "--actor", billing.as_str(), "--case"];
    let report = fixture.run(HAND, &[&force("8")[..], &["3", "1", "6", "5", "7", "99", "2"]].concat()).await.report();
    let moved = [(3, 500), (1, 20), (5, 7), (2, 10)];
    assert_eq!(report["updated"], json!(moved.map(|(case, from)| updated(case, from, 8, true, "docs_needed_ts"))));
    let stayed = [exception(6, ALREADY, Some(8), 8), exception(7, GONE, Some(30), 8), exception(99, GONE, None, 8)];
    assert_eq!(report["exceptions"], json!(stayed));
    assert_eq!(fixture.in_order().await, [8, 8, 8, 15, 8, 8, 30]);
    let (run, at) = (&report["run_id"], "2026-03-02T08:00:00+00:00");
    let mut steps = fixture.history().await;
    let steps: Vec<Value> = steps.as_array_mut().expect("some").drain(1..).collect();
    for (case, from) in moved {
        let step = json!({"case_id": case.to_string(), "from_status": from, "to_status": 8, "actor": billing, "run_id": run,
                          "forced": true, "created_at": at});
        assert!(steps.contains(&step), "{step} is not in {steps:?}");
    }
    assert_eq!(steps.len(), moved.len());
    // The job's own dwell is no obstacle to a person's word.
    let report = fixture.run(HAND, &[&force("20")[..], &["4"]].concat()).await.report();
    assert_eq!(report["updated"], json!([updated(4, 15, 20, true, "paid_to_provider_ts")]));
}

#[tokio::test]
async fn nobody_moves_a_case_of_another_facility_by_hand() {
    let fixture = BillingFixture::new().await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    let ours = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    let nowhere = &fixture.clinic.user(other, "BILLING").await.to_string();
    let group = &fixture.clinic.of_the_group().await.to_string();
    fixture.cases_of(&[20, 20, 10, 10]).await;
    fixture.clinic.sql(&format!("UPDATE surgical_cases SET facility_id = {other} WHERE id % 2 = 0")).await;
    fixture.clinic.sql(&format!("UPDATE users SET facility_id = NULL WHERE id = {nowhere}")).await;
    let back = ["--case", "1", "2", "--to", "7", "--force", "--actor"];
    let report = fixture.run(HAND, &[&back[..], &[ours]].concat()).await.report();
    assert_eq!(report["updated"], json!([updated(1, 20, 7, true, "billable_ts")]));
    assert_eq!(report["exceptions"], json!([exception(2, THEIRS, None, 7)]), "not even its status is said");
    let list = std::env::temp_dir().join(format!("rounds-cases-{}", std::process::id()));
    std::fs::write(&list, "3\n4\n").expect("can be written");
    let file = format!("--cases-file={}", list.display());
    for user in [ours.clone(), fixture.clinic.user(fixture.facility, "SUPERVISOR").await.to_string()] {
        for cases in [&["--case", "4"][..], &[&file]] {
            let report = fixture.run(PENDING, &[cases, &["--actor", &user]].concat()).await.report();
            assert_eq!(
                report["exceptions"].as_array().and_then(|all| all.last()),
                Some(&exception(4, THEIRS, None, 15))
            );
        }
    }
    std::fs::remove_file(&list).expect("it is there");
    assert_eq!(fixture.in_order().await, [7, 20, 15, 10]);
    // Who is of no facility and not of the group may move none.
    for args in [&back[..], &["--case", "4", "--stage", "pending-payment", "--actor"]] {
        let outcome = fixture.clinic.run(&[&["advance-billing"], args, &[nowhere]].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{outcome:?}");
    }
    let report = fixture.run(PENDING, &["--case", "4", "--actor", group]).await.report();
    assert_eq!(named(&report, "updated"), [4]);
}

#[tokio::test]
async fn asked_for_twice_it_is_done_once() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[10, 20]).await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    for (args, case, status) in [
        (&["--stage", "pending-payment", "--case", "1"][..], 1, 15),
        (&["--case", "2", "--to", "7", "--force", "--actor", billing], 2, 7),
    ] {
        assert_eq!(fixture.run(HAND, args).await.count("advanced"), 1);
        let before = (fixture.rows().await, fixture.history().await);
        let report = fixture.run(HAND, args).await.report();
        assert_eq!(report["exceptions"], json!([exception(case, ALREADY, Some(status), status)]));
        assert_eq!((&report["updated"], &report["metrics"]["money_moved"]), (&json!([]), &json!("0.00")));
        assert_eq!((fixture.rows().await, fixture.history().await), before);
    }
}

#[tokio::test]
async fn a_dry_run_says_of_each_case_what_a_run_does_and_changes_nothing() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[10, 15, 20, 7, 10, 10]).await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    let cases = ["--batch-rows", "2", "--case", "6", "1", "2", "3", "4", "99", "5"];
    for args in [&["--stage", "pending-payment"][..], &["--to", "8", "--force", "--actor", billing]] {
        let before = owed::state(&fixture.clinic).await;
        let mut dry = fixture.run(HAND, &[args, &["--dry-run"], &cases].concat()).await.report();
        assert_eq!(owed::state(&fixture.clinic).await, before);
        let mut wet = fixture.run(HAND, &[args, &cases].concat()).await.report();
        assert_ne!(fixture.rows().await, before["surgical_cases"]);
        for report in [&mut dry, &mut wet] {
            assert!(!named(report, "updated").is_empty() && !named(report, "exceptions").is_empty(), "{report}");
            for key in ["run_id", "dry_run", "duration_ms"] {
                report[key] = json!(null);
            }
            report["metrics"]["duration_ms"] = json!(null);
        }
        assert_eq!(dry, wet);
    }
}

#[tokio::test]
async fn a_case_that_somebody_holds_is_waited_for_five_seconds_and_then_an_exception() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 4).await;
    fixture.clinic.sql("BEGIN; SELECT FROM surgical_cases WHERE id = 2 FOR NO KEY UPDATE").await;
    let began = Instant::now();
    let outcome = fixture.run(PENDING, &["--case", "2", "4", "3", "1"]).await;
    let waited = began.elapsed().as_secs();
    assert!((4..9).contains(&waited), "{waited} s");
    let report = outcome.report();
    assert_eq!((named(&report, "updated"), named(&report, "exceptions")), (vec![4, 3, 1], vec![2]));
    assert_eq!(report["skipped_by_reason"], json!({"locked": 1}));
    let reason = report["exceptions"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("held"), "{reason}");
    fixture.clinic.sql("COMMIT").await;
    assert_eq!(fixture.in_order().await, [15, 10, 15, 15]);
    let report = fixture.run(PENDING, &["--case", "2", "4", "3", "1"]).await.report();
    assert_eq!((named(&report, "updated"), named(&report, "exceptions")), (vec![2], vec![4, 3, 1]));
}

#[tokio::test]
async fn a_case_that_cannot_be_changed_is_reported_and_stops_nobody() {
    for batch in ["1", "2", "1000"] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, 5).await;
        owed::fail_before(&fixture.clinic, "INSERT", "surgical_case_status_history", "NEW.case_id = '4'").await;
        let args = [PENDING, &["--batch-rows", batch, "--case", "5", "4", "3", "2", "1"]].concat();
        let outcome = fixture.clinic.run(&args).await.expect(3);
        owed::balanced(&outcome, "advanced");
        let report = outcome.report();
        assert_eq!(named(&report, "updated"), [5, 3, 2, 1], "{batch}");
        assert_eq!((&report["failed"], &report["metrics"]["money_moved"]), (&json!(1), &json!("40.04")), "{batch}");
        assert_eq!(named(&report, "exceptions"), [4], "it says of each what became of it");
        assert_eq!(report["exceptions"][0]["current_status"], 10, "{batch}");
        assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
        assert_eq!(fixture.in_order().await, [15, 15, 15, 10, 15], "{batch}");
        let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE entity_id = '4' AND error_code = '22000'";
        assert_eq!(fixture.clinic.count(recorded).await, 1, "{batch}");
        fixture.clinic.run(&[&args[..], &["--partial-ok"]].concat()).await.expect(0);
    }
}

/// What becomes of case 2, that a person changes while the run is at work on case 1.
async fn meanwhile(args: &[&str], edit: &str) -> (BillingFixture, Outcome) {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 2).await;
    let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    gate::build_for(&fixture.clinic, "surgical_case_status_history", "case_id").await;
    gate::close(&fixture.clinic, 1).await;
    let start = [HAND, args, &["--batch-rows", "1", "--actor", billing, "--case", "1", "2"]].concat();
    let run = fixture.clinic.program.start(&start);
    gate::reached(&fixture.clinic).await;
    fixture.clinic.sql(&format!("UPDATE surgical_cases SET {edit} WHERE id = 2")).await;
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    owed::balanced(&outcome, "advanced");
    (fixture, outcome)
}

#[tokio::test]
async fn a_case_that_is_changed_meanwhile_is_judged_by_what_it_is() {
    let pending = &["--stage", "pending-payment"];
    for (edit, reason, current) in [
        ("case_status = 8", NO_WAY, 8),
        ("case_status = 15", ALREADY, 15),
        ("case_status = 500", LOWER, 500),
        ("active = false", GONE, 10),
    ] {
        let (fixture, outcome) = meanwhile(pending, edit).await;
        let report = outcome.report();
        assert_eq!(report["exceptions"], json!([exception(2, reason, Some(current), 15)]), "{edit}");
        assert_eq!((named(&report, "updated"), fixture.in_order().await), (vec![1], vec![15, current]), "{edit}");
    }
    let (_, outcome) = meanwhile(pending, "pay_amount = 0.02").await;
    assert_eq!(outcome.report()["metrics"]["money_moved"], "10.03");
}

#[tokio::test]
async fn what_is_forced_is_recorded_as_what_it_was_when_it_moved() {
    let (fixture, outcome) = meanwhile(&["--to", "7", "--force"], "case_status = 30").await;
    let report = outcome.report();
    let steps = "SELECT count(*) FROM surgical_case_status_history WHERE case_id = '2' AND from_status <> 30";
    assert_eq!(fixture.clinic.count(steps).await, 0);
    let said = report["updated"].as_array().expect("some").iter().chain(report["exceptions"].as_array().expect("some"));
    let of_two: Vec<&Value> = said.filter(|entry| entry["case_id"] == "2").collect();
    assert_eq!(of_two.len(), 1, "{report}");
    let status = of_two[0].get("previous_status").or(of_two[0].get("current_status"));
    assert_eq!(status, Some(&json!(30)), "{report}");
}

#[tokio::test]
async fn two_at_once_on_the_same_cases_move_each_once() {
    let ids: Vec<String> = (1..=30).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let hand = [PENDING, &["--batch-rows", "5", "--case"], &ids].concat();
    let reversed: Vec<&str> = ids.iter().rev().copied().collect();
    let backwards = [PENDING, &["--batch-rows", "5", "--case"], &reversed].concat();
    for (first, second) in [(&hand[..], &hand[..]), (&hand, &backwards), (&backwards, PENDING)] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, 30).await;
        let runs = [first, second].map(|args| fixture.clinic.program.start(args));
        let mut advanced = 0;
        for run in runs {
            // Where another is at work by hand already there are no counts.
            advanced += program::finish(run).await.expect(0).report()["advanced"].as_i64().unwrap_or(0);
        }
        assert_eq!((advanced, fixture.statuses().await), (30, vec![(15, 30)]));
        let steps = "SELECT count(*) AS steps, count(DISTINCT case_id) AS cases FROM surgical_case_status_history";
        assert_eq!(fixture.clinic.json(steps).await, json!({"steps": 30, "cases": 30}));
    }
}

#[tokio::test]
async fn the_brake_counts_what_would_move_by_hand_too() {
    let fixture = BillingFixture::new().await;
    fixture.cases(7, 20).await;
    fixture.cases(10, 51).await;
    let ids: Vec<String> = (1..=71).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let hand = |count: usize, more: &[&'static str]| [PENDING, more, &["--case"], &ids[..count]].concat();
    fixture.clinic.run(&hand(71, &[])).await.expect(5);
    fixture.clinic.run(&hand(71, &["--confirm-items", "50"])).await.expect(5);
    fixture.clinic.run(&hand(71, &["--max-items", "50"])).await.expect(5);
    assert_eq!((fixture.statuses().await, fixture.history().await), (vec![(7, 20), (10, 51)], json!([])));
    let outcome = fixture.run(&hand(70, &[]), &[]).await;
    assert_eq!((outcome.count("scanned"), outcome.count("advanced")), (70, 50));
    fixture.clinic.sql("UPDATE surgical_cases SET case_status = 10 WHERE case_status = 15").await;
    assert_eq!(fixture.run(&hand(71, &["--confirm-items", "51"]), &[]).await.count("advanced"), 51);
}

#[tokio::test]
async fn a_database_that_fails_is_a_failure_by_hand_too() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 1).await;
    let args = [PENDING, &["--attempts", "1", "--case", "1"]].concat();
    let nowhere = Program::new("postgresql://rounds@127.0.0.1:1/clinic");
    assert_eq!(nowhere.run(&args).await.expect(1).report()["ok"], false);
    fixture.clinic.sql("ALTER TABLE surgical_cases RENAME TO gone").await;
    let outcome = fixture.clinic.run(&args).await;
    assert!([1, 2].contains(&outcome.code), "{outcome:?}");
    assert_eq!(outcome.report()["status"], "FAILED");
}

#[tokio::test]
async fn a_table_that_is_locked_is_no_case_that_somebody_holds() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 2).await;
    fixture.clinic.sql("BEGIN; LOCK TABLE surgical_cases IN ACCESS EXCLUSIVE MODE").await;
    for args in [PENDING, &[PENDING, &["--case", "1", "2"]].concat()] {
        let outcome = fixture.clinic.run(&[args, &["--lease", "3s", "--attempts", "1"]].concat()).await.expect(1);
        assert_eq!(outcome.report()["error_code"], "55P03", "{outcome:?}");
    }
    fixture.clinic.sql("COMMIT").await;
    assert_eq!((fixture.statuses().await, fixture.history().await), (vec![(10, 2)], json!([])));
}

#[tokio::test]
async fn what_a_lost_connection_leaves_in_doubt_is_done_once_and_reported_as_done() {
    for act in [Act::LoseReply, Act::LoseRequest] {
        // The claim, two batches, the end.
        for skip in 0..4 {
            let fixture = BillingFixture::new().await;
            fixture.cases(10, 3).await;
            let mut proxy = Proxy::start(Trigger { text: "COMMIT", skip, act }).await;
            let program = Program::new(&proxy.url(&fixture.clinic.database));
            let run = program.start(&[PENDING, &["--batch-rows", "2", "--case", "3", "2", "1"]].concat());
            proxy.fired().await;
            let report = program::finish(run).await.expect(0).report();
            assert_eq!((named(&report, "updated"), named(&report, "exceptions")), (vec![3, 2, 1], vec![]), "{skip}");
            assert_eq!(report["metrics"]["money_moved"], "30.03", "{skip}");
            let steps = "SELECT count(*) FROM surgical_case_status_history";
            assert_eq!((fixture.statuses().await, fixture.clinic.count(steps).await), (vec![(15, 3)], 3), "{skip}");
        }
    }
}

#[tokio::test]
async fn of_a_patient_nothing_is_said_or_recorded() {
    for poison in [false, true] {
        let fixture = BillingFixture::new().await;
        fixture.cases_of(&[10, 10, 15, 20, 7, 10, 15]).await;
        let billing = &fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
        fixture.clinic.user(fixture.facility, "HOSPITAL_ADMIN").await;
        fixture
            .clinic
            .sql(
                "UPDATE facilities SET name = 'CANARY'; UPDATE users SET name = 'CANARY', email = 'CANARY@example.org';
                 UPDATE patients SET mrn = 'CANARY', first_name = 'CANARY', last_name = 'CANARY', phone = 'CANARY',
                                     email = 'CANARY@example.org', date_of_birth = '1907-05-09'",
            )
            .await;
        if poison {
            let when = "NEW.case_id IN ('2', '4')";
            owed::fail_before(&fixture.clinic, "INSERT", "surgical_case_status_history", when).await;
        }
        let hand = [HAND, &["--stage", "pending-payment", "--case", "2", "1", "5", "99"]].concat();
        let force = [HAND, &["--to", "8", "--force", "--actor", billing, "--case", "4", "3"]].concat();
        let braked = [PENDING, &["--max-items", "1"]].concat();
        let dry = [PAID, &["--dry-run"]].concat();
        let bare = &["advance-billing", "--as-of", NOW][..];
        let commands = [bare, &braked, &hand, &force, &dry, PENDING, PAID, &["runs", "list"], &["health"]];
        let out = owed::said(&fixture.clinic, &commands).await + &fixture.history().await.to_string();
        let moved = if poison { vec![15, 10, 8, 20, 7, 15, 20] } else { vec![15, 15, 8, 8, 7, 15, 20] };
        assert_eq!(fixture.in_order().await, moved, "the commands did something");
        assert!(!out.contains("CANARY") && !out.contains("1907-05-09"), "{out}");
    }
}

#[tokio::test]
async fn a_stage_and_a_status_that_contradict_each_other_are_refused() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 1).await;
    let base = ["advance-billing", "--stage", "pending-payment", "--case", "1", "--to"];
    let outcome = fixture.clinic.run(&[&base[..], &["20"]].concat()).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "USAGE", "{outcome:?}");
    assert_eq!(fixture.statuses().await, [(10, 1)]);
    fixture.clinic.run(&[&base[..], &["15"]].concat()).await.expect(0);
    assert_eq!(fixture.statuses().await, [(15, 1)]);
}

#[tokio::test]
async fn an_id_that_no_case_has_is_a_failed_item_beside_others_and_a_usage_error_alone() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[10, 15, 10]).await;
    fixture.clinic.sql("UPDATE surgical_cases SET active = false WHERE id = 3").await;
    let (file, both) = (File::new(b"998\n999\n"), File::new(b"1 999"));
    let before = owed::state(&fixture.clinic).await;
    // Nobody has any of them.
    for (args, named) in [
        (&["--case", "999"][..], "--case: there is no case 999; nothing was changed"),
        (&["--case", "999", "998"], "no case has any of the ids that are asked for; nothing was changed"),
        (&["--cases-file", file.path()], "no case has any of the ids that are asked for; nothing was changed"),
    ] {
        for dry in [&["--dry-run"][..], &[]] {
            let outcome = fixture.clinic.run(&[PENDING, args, dry].concat()).await.expect(2);
            let report = outcome.report();
            assert_eq!(report["error_code"], "UNKNOWN_CASE", "{report}");
            assert!(report["error_message"].as_str().is_some_and(|said| said.ends_with(named)), "{report}");
        }
    }
    let unchanged = owed::state(&fixture.clinic).await;
    assert_eq!(before["surgical_cases"], unchanged["surgical_cases"]);
    // Beside a case that moves, one that does not, and one that is there but inactive.
    for (args, updated, skipped, code) in [
        (&["--case", "1", "999", "--dry-run"][..], vec![1], 0, 3),
        (&["--cases-file", both.path(), "--dry-run"], vec![1], 0, 3),
        (&["--case", "2", "999"], vec![], 1, 3),
        (&["--case", "3"], vec![], 1, 0),
        (&["--case", "1", "999", "2", "3"], vec![1], 2, 3),
    ] {
        let outcome = fixture.clinic.run(&[PENDING, args, &["--log-level", "warn"]].concat()).await.expect(code);
        let report = outcome.report();
        let unknown = u64::from(code == 3);
        owed::balanced(&outcome, "advanced");
        assert_eq!(named(&report, "updated"), updated, "{args:?}");
        assert_eq!((outcome.count("skipped"), outcome.count("failed")), (skipped, unknown), "{args:?}");
        if code == 3 {
            assert_eq!(report["errors"], json!([{"entity": "surgical_case", "id": "999", "code": "UNKNOWN_CASE"}]));
            let entry = exception(999, GONE, None, 15);
            assert!(report["exceptions"].as_array().is_some_and(|all| all.contains(&entry)), "{report}");
        }
    }
    let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE error_code = 'UNKNOWN_CASE' AND entity_id = '999'";
    assert_eq!(fixture.clinic.count(recorded).await, 2, "a dry run records nothing");
    assert_eq!(fixture.clinic.count("SELECT count(*) FROM item_refusals").await, 0, "no later run tries it");
}

/// The lines of a log that warn of a case, and the line of how many more there are.
fn warnings(outcome: &Outcome) -> (Vec<String>, Option<String>) {
    let lines = outcome.stderr.lines().filter(|line| line.contains(" WARN ")).map(str::to_owned);
    let (mut more, cases): (Vec<String>, Vec<String>) = lines.partition(|line| line.contains(" more cases "));
    assert!(more.len() < 2, "{more:?}");
    (cases, more.pop())
}

#[tokio::test]
async fn each_case_that_stays_is_a_warning_with_its_id_and_of_many_the_first() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[10, 15, 20]).await;
    let args = [PENDING, &["--case", "1", "2", "3", "999", "--log-level", "warn"]].concat();
    let (cases, more) = warnings(&fixture.clinic.run(&args).await.expect(3));
    let said = |id: i64, words: &str| {
        let about = |line: &&String| line.contains(&format!("surgical_case {id}: ")) && line.contains(words);
        cases.iter().filter(about).count()
    };
    assert_eq!((cases.len(), more), (3, None), "{cases:?}");
    assert_eq!([said(2, ALREADY), said(3, LOWER), said(999, "no such case")], [1; 3], "{cases:?}");

    // A stage that holds cases back, and one that has many of them.
    for (cases, listed, more) in [(1, 1, None), (20, 20, None), (23, 20, Some("3 more cases"))] {
        let fixture = BillingFixture::new().await;
        fixture.cases(10, cases).await;
        fixture.run(PENDING, &[]).await;
        let outcome = fixture.run(PAID, &["--log-level", "warn"]).await;
        assert_eq!(outcome.report()["skipped_by_reason"], json!({ "dwell": cases }));
        let (lines, said) = warnings(&outcome);
        assert_eq!(lines.len(), listed, "{lines:?}");
        assert!(lines[0].contains("surgical_case 1: held back"), "{lines:?}");
        assert_eq!(said.is_some(), more.is_some(), "{said:?}");
        assert!(more.is_none_or(|more| said.is_some_and(|said| said.contains(more))));
    }
}
