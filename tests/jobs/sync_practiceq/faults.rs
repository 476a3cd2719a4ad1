//! An account that answers badly: what is tried again, what is an error at once, and where the next run goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::crowd::{CROWD, ZEBEDEE, discreet, stopped, visit, visit_id};
use super::words::{balanced, totals};
use crate::support::practiceq::{Fault, Sync, Upstream, appointment};

/// One that passes, and these.
fn at_second(faults: &[Fault]) -> Vec<Fault> {
    [&[Fault::None], faults].concat()
}

fn after(seconds: &str) -> Fault {
    Fault::RetryAfter(429, seconds.into())
}

/// The time between two requests, by their places.
fn gap(sync: &Sync, first: usize, second: usize) -> Duration {
    let requests = sync.upstream.requests();
    requests[second].at - requests[first].at
}

#[tokio::test]
async fn what_may_pass_is_tried_again_on_any_page() {
    let slow = Fault::SlowBody(Duration::from_millis(500));
    let cases: &[(&[Fault], usize)] = &[
        (&[Fault::Status(500)], 1),
        (&[Fault::Html(503), Fault::Status(502)], 2),
        (&[Fault::Html(200)], 1),
        (&[Fault::NotJson], 1),
        (&[Fault::TruncatedBody, Fault::TruncatedBody], 2),
        (&[Fault::Drop, Fault::Html(200)], 2),
        (&[Fault::RetryAfter(503, "1".into())], 1),
        (std::slice::from_ref(&slow), 0),
    ];
    for (place, (faults, wasted)) in cases.iter().enumerate() {
        let sync = Sync::with_visits(CROWD).await;
        // The first page, the last one, and what was deleted.
        let passing = [0, 2, 3][place % 3];
        sync.upstream.fault(&[&vec![Fault::None; passing], *faults].concat());
        let outcome = sync.ends_with(0, &[]).await;
        balanced(&outcome);
        assert_eq!(totals(&outcome), [CROWD as u64, 0, 0, 0], "{faults:?}");
        assert_eq!(sync.upstream.requests().len(), 4 + wasted, "{faults:?}");
        assert_eq!(outcome.count("requests"), 4 + *wasted as u64, "{faults:?}");
    }
}

#[tokio::test]
async fn every_request_has_the_key_in_its_header_and_nowhere_else() {
    let sync = Sync::with_visits(3).await;
    sync.ends_with(0, &[]).await;
    sync.ends_with(0, &["--appointment", &visit_id(1)]).await;
    let requests = sync.upstream.requests();
    assert!(requests.len() > 2);
    for request in requests {
        assert_eq!(request.header("x-auth-key"), Some(crate::support::practiceq::KEY), "{request:?}");
        let asked = format!("{}{:?}", request.path, request.query);
        assert!(!asked.contains("key") && request.header("cookie").is_none(), "{request:?}");
    }
}

#[tokio::test]
async fn nothing_is_tried_more_often_than_told() {
    for fault in [Fault::Status(500), Fault::Html(503), Fault::Html(200), Fault::NotJson, Fault::Drop] {
        let sync = Sync::with_visits(3).await;
        sync.upstream.fault(&vec![fault.clone(); 9]);
        let outcome = sync.ends_with(1, &["--attempts", "2"]).await;
        assert_eq!(outcome.report()["status"], "FAILED", "{outcome:?}");
        assert_eq!(sync.upstream.requests().len(), 2, "{fault:?}");
        assert_eq!((sync.logs().await, sync.stored_visits().await), (vec!["failed".to_owned()], 0), "{fault:?}");
    }
}

#[tokio::test]
async fn json_of_another_shape_is_no_empty_list() {
    let sync = Sync::with_visits(3).await;
    sync.ends_with(0, &[]).await;
    let before = sync.picture().await;
    sync.upstream.fault(&vec![Fault::NotAList; 9]);
    sync.ends_with(1, &[]).await;
    sync.upstream.heal();
    sync.upstream.fault(&at_second(&vec![Fault::NotAList; 9]));
    sync.ends_with(3, &[]).await;
    assert_eq!(sync.picture().await, before);
    assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_visits WHERE missed_sweep IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_had_ends_the_reading_and_what_was_read_is_kept() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&at_second(&[Fault::Status(503), Fault::Html(500), Fault::Drop]));
    let outcome = sync.ends_with(3, &["--attempts", "3"]).await;
    balanced(&outcome);
    assert_eq!((totals(&outcome)[0], outcome.count("failed")), (100, 1), "{outcome:?}");
    assert_eq!(outcome.report()["errors"][0]["entity"], "page", "{outcome:?}");
    assert_eq!((sync.stored_visits().await, sync.logs().await), (100, vec!["partial_success".to_owned()]));
    let untouched = "SELECT (SELECT count(*) FROM practiceq_freshness)
                          + (SELECT count(*) FROM practiceq_state WHERE watermark IS NOT NULL OR sweep IS NOT NULL)";
    assert_eq!(sync.clinic.count(untouched).await, 0, "what was not read completely is not said to be");
    let message = "SELECT metadata->'errors'->0->>'message' AS m FROM sync_logs";
    assert_eq!(sync.clinic.json(message).await["m"], "Failed to fetch from PracticeQ");
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.stored_visits().await, CROWD as i64);
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_tried_again() {
    for (fault, passing) in
        [(Fault::Status(401), 0), (Fault::Html(403), 0), (Fault::Html(401), 1), (Fault::Status(403), 3)]
    {
        let sync = Sync::with_visits(CROWD).await;
        sync.upstream.fault(&[vec![Fault::None; passing], vec![fault.clone(); 9]].concat());
        // What was stored by then stays, so it is no 2 any more.
        let outcome = sync.ends_with(if passing == 0 { 2 } else { 1 }, &[]).await;
        assert_eq!(outcome.report()["error_code"], "PRACTICEQ_KEY", "{fault:?}");
        assert_eq!(sync.upstream.requests().len(), passing + 1, "{fault:?}");
        assert_eq!(sync.stored_visits().await, [0, 100, 0, CROWD as i64][passing], "{fault:?}");
        assert_ne!(sync.logs().await, ["completed"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_wrong_is_never_said() {
    let sync = Sync::with_visits(3).await;
    let program =
        sync.clinic.program.clone().env("ROUNDS_PRACTICEQ_KEY", "canary-key-of-nobody").env("RUST_LOG", "trace");
    let args = ["--log-level", "debug"];
    let outcome = crate::support::program::finish(sync.start_with(&program, &args)).await.expect(2);
    discreet(&outcome);
    assert_eq!(outcome.report()["error_code"], "PRACTICEQ_KEY");
    let recorded = sync.clinic.json("SELECT jsonb_agg(r) AS r FROM cron_job_runs r").await.to_string();
    assert!(!recorded.contains("canary"), "{recorded}");
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    let sync = Sync::with_visits(3).await;
    let program = sync.clinic.program.clone().without("ROUNDS_PRACTICEQ_KEY");
    let outcome = crate::support::program::finish(sync.start_with(&program, &[])).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "CONFIGURATION", "{outcome:?}");
    assert!(sync.upstream.requests().is_empty());
}

#[tokio::test]
async fn the_key_may_be_in_a_file() {
    let sync = Sync::with_visits(3).await;
    let directory = tempfile::tempdir().expect("a place for a file");
    let path = directory.path().join("key");
    std::fs::write(&path, format!("{}\n", crate::support::practiceq::KEY)).expect("can be written");
    let program = sync.clinic.program.clone().without("ROUNDS_PRACTICEQ_KEY");
    let args = ["--api-key-file", path.to_str().expect("UTF-8")];
    crate::support::program::finish(sync.start_with(&program, &args)).await.expect(0);
    assert_eq!(sync.stored_visits().await, 3);
}

#[tokio::test]
async fn other_answers_that_are_none_are_an_error_at_once() {
    for status in [400, 404, 405, 410, 422, 301, 304] {
        let sync = Sync::with_visits(3).await;
        sync.upstream.fault(&vec![Fault::Status(status); 9]);
        let outcome = sync.ends_with(1, &[]).await;
        assert_eq!(outcome.report()["error_code"], "PRACTICEQ_HTTP", "{status}");
        assert!(outcome.report()["error_message"].to_string().contains(&status.to_string()), "{outcome:?}");
        assert_eq!(sync.upstream.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_the_key_goes_nowhere_else() {
    let sync = Sync::with_visits(3).await;
    let elsewhere = Upstream::start().await;
    elsewhere.put(appointment("theirs", &ZEBEDEE, "2026-03-10T18:00:00Z"));
    let page = "appointments?page=1";
    for to in [format!("{}{page}", elsewhere.base()), format!("{}{page}", sync.upstream.base())] {
        sync.upstream.fault(&vec![Fault::Redirect(to.clone()); 9]);
        let asked = sync.upstream.requests().len();
        let outcome = sync.ends_with(1, &[]).await;
        assert_eq!(outcome.report()["error_code"], "PRACTICEQ_HTTP", "{to}");
        assert_eq!(sync.upstream.requests().len() - asked, 1, "{to}");
        sync.upstream.heal();
    }
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    assert_eq!(sync.stored_visits().await, 0);
}

#[tokio::test]
async fn an_account_that_says_when_to_come_again_is_left_alone_until_then() {
    let date = "Mon, 02 Mar 2026 08:00:03 GMT\r\nDate: Mon, 02 Mar 2026 08:00:01 GMT";
    for when in ["2", date] {
        let sync = Sync::with_visits(CROWD).await;
        sync.upstream.fault(&at_second(&[after(when)]));
        let outcome = sync.ends_with(0, &[]).await;
        assert_eq!((totals(&outcome)[0], sync.pages()), (CROWD as u64, vec![1, 2, 2, 3, 1]));
        let waited = gap(&sync, 1, 2);
        assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(12), "{when}: {waited:?}");
        let told = "SELECT count(*) FROM api_budgets WHERE blocked_until IS NOT NULL";
        assert_eq!(sync.clinic.count(told).await, 1, "others wait, too");
    }
}

#[tokio::test]
async fn a_date_counts_from_our_clock_where_the_answer_has_none() {
    let sync = Sync::with_visits(CROWD).await;
    let date = "SELECT to_char((clock_timestamp() + interval '4 s') AT TIME ZONE 'UTC',
                               'Dy, DD Mon YYYY HH24:MI:SS \"GMT\"') AS d";
    let date = sync.clinic.json(date).await["d"].as_str().expect("a date").to_owned();
    sync.upstream.fault(&[after(&date)]);
    sync.ends_with(0, &["--timeout", "20s"]).await;
    let waited = gap(&sync, 0, 1);
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(12), "{waited:?}");
}

#[tokio::test]
async fn a_date_that_is_past_is_no_wait() {
    let sync = Sync::with_visits(3).await;
    sync.upstream.fault(&[after("Mon, 02 Mar 2026 08:00:00 GMT\r\nDate: Mon, 02 Mar 2026 09:00:00 GMT")]);
    sync.ends_with(0, &[]).await;
    assert!(gap(&sync, 0, 1) < Duration::from_secs(5), "{:?}", gap(&sync, 0, 1));
}

/// How many seconds the account is left alone from now on.
async fn blocked(sync: &Sync) -> f64 {
    let query = "SELECT extract(epoch FROM blocked_until - clock_timestamp())::float8 FROM api_budgets";
    sync.clinic.row(query, &[]).await.get(0)
}

#[tokio::test]
async fn an_account_that_does_not_say_when_is_left_alone_for_a_minute_by_all() {
    for fault in [Fault::Status(429), Fault::Html(429), after("soon"), after("-1")] {
        let sync = Sync::with_visits(CROWD).await;
        sync.upstream.fault(&at_second(std::slice::from_ref(&fault)));
        let began = Instant::now();
        let outcome = sync.ends_with(3, &["--timeout", "20s"]).await;
        assert!(began.elapsed() < Duration::from_secs(15), "it does not wait for what it cannot have: {fault:?}");
        stopped(&outcome, "RATE_LIMITED");
        assert_eq!(totals(&outcome)[0], 100, "{fault:?}");
        assert!((45.0..=62.0).contains(&blocked(&sync).await), "{fault:?}: {}", blocked(&sync).await);
        assert_eq!(sync.cursors().await, [("full".to_owned(), 2)], "{fault:?}");
        let asked = sync.upstream.requests().len();
        for lane in [&["--incremental"][..], &["--appointment", "v001"], &[]] {
            let outcome = sync.ends_with(1, &[lane, &["--timeout", "5s"]].concat()).await;
            stopped(&outcome, "RATE_LIMITED");
        }
        assert_eq!(sync.upstream.requests().len(), asked, "{fault:?}");
        sync.pass("62 s").await;
        sync.ends_with(0, &[]).await;
        assert_eq!(sync.pages()[asked..], [2, 3, 1], "{fault:?}");
        assert_eq!(sync.stored_visits().await, CROWD as i64, "{fault:?}");
    }
}

#[tokio::test]
async fn an_absurd_time_to_come_again_is_survived() {
    for when in ["99999999999999999999", "4000000000", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let sync = Sync::with_visits(3).await;
        sync.upstream.fault(&[after(when)]);
        let outcome = sync.ends_with(1, &["--timeout", "10s"]).await;
        assert!(!outcome.stderr.contains("panicked"), "{when}: {outcome:?}");
        assert!((50.0..=86_400.0).contains(&blocked(&sync).await), "{when}: {}", blocked(&sync).await);
    }
}

#[tokio::test]
async fn a_second_refusal_in_a_row_stops_the_run_and_the_next_goes_on_at_the_page() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&at_second(&[after("1"), after("1")]));
    let outcome = sync.ends_with(3, &[]).await;
    stopped(&outcome, "RATE_LIMITED");
    balanced(&outcome);
    assert_eq!((totals(&outcome), sync.pages()), ([100, 0, 0, 0], vec![1, 2, 2]));
    assert_eq!((sync.cursors().await, sync.logs().await), (vec![("full".into(), 2)], vec!["partial_success".into()]));
    let code = "SELECT metadata->'errors'->0->>'code' AS c FROM sync_logs";
    assert_eq!(sync.clinic.json(code).await["c"], "RATE_LIMITED");
    let state = "SELECT watermark, sweep FROM practiceq_state";
    assert_eq!(sync.clinic.json(state).await, json!({"watermark": null, "sweep": null}));

    let first = sync.upstream.requests()[1].query.clone();
    // The next morning: still what was being read.
    let outcome = sync.ends_with(0, &["--as-of", "2026-03-03T10:00:00Z"]).await;
    balanced(&outcome);
    assert_eq!((totals(&outcome)[0], sync.pages()), (150, vec![1, 2, 2, 2, 3, 1]));
    assert_eq!(sync.upstream.requests()[3].query, first);
    assert!(sync.cursors().await.is_empty());
    assert_eq!(sync.stored_visits().await, CROWD as i64);
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.pages()[6..9], [1, 2, 3], "the one after begins anew");
}

#[tokio::test]
async fn a_lane_goes_on_where_it_stopped_itself_and_not_where_another_did() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&at_second(&[after("0"), after("0")]));
    sync.ends_with(3, &[]).await;
    let asked = sync.upstream.requests().len();
    sync.ends_with(0, &["--incremental"]).await;
    assert_eq!(sync.pages()[asked..], [1, 2, 3, 1]);
    assert_eq!(sync.cursors().await, [("full".to_owned(), 2)]);
}

#[tokio::test]
async fn each_lane_goes_on_with_what_it_was_reading() {
    let twice = || vec![after("0"), after("0")];
    // The lane, how many requests pass, and what the next run asks for first: a parameter, and the page.
    let cases: [(&[&str], usize, &str, usize, usize); 5] = [
        (&[], 2, "startDate", 3, 2),
        (&[], 3, "deletedOnly", 1, 1),
        (&["--incremental"], 1, "updatedSince", 2, 3),
        (&["--incremental"], 3, "deletedOnly", 1, 1),
        (&["--patient", "1"], 2, "client", 3, 1),
    ];
    for (lane, passing, parameter, page, requests) in cases {
        let sync = Sync::with_visits(CROWD).await;
        sync.upstream.fault(&[vec![Fault::None; passing], twice()].concat());
        stopped(&sync.ends_with(3, lane).await, "RATE_LIMITED");
        let stopped_at = sync.upstream.requests().last().expect("there are some").query.clone();
        sync.upstream.clear_requests();
        sync.clinic.sql("DELETE FROM api_requests").await;
        balanced(&sync.ends_with(0, lane).await);
        let asked = sync.upstream.requests();
        assert_eq!((asked[0].query.clone(), asked[0].page(), asked.len()), (stopped_at, page, requests), "{lane:?}");
        assert!(asked[0].query.contains_key(parameter), "{lane:?}: {asked:?}");
        assert!(sync.cursors().await.is_empty(), "{lane:?}");
        assert_eq!(sync.stored_visits().await, CROWD as i64, "{lane:?}");
    }
}

#[tokio::test]
async fn what_was_saved_a_day_ago_is_begun_anew() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&at_second(&[after("0"), after("0")]));
    sync.ends_with(3, &[]).await;
    sync.clinic.sql("UPDATE practiceq_cursors SET saved_at = saved_at - interval '25 hours'").await;
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.pages()[3..], [1, 2, 3, 1]);
    assert!(sync.cursors().await.is_empty());
}

#[tokio::test]
async fn a_refusal_after_one_that_passed_is_a_first_one() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&[after("0"), Fault::None, after("0"), Fault::None, after("0")]);
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.pages(), [1, 1, 2, 2, 3, 3, 1]);
}

#[tokio::test]
async fn an_account_that_refuses_twice_at_once_has_let_nothing_be_read() {
    for lane in [&[][..], &["--incremental"], &["--patient", "1"], &["--organization", "1"], &["--appointment", "v001"]]
    {
        let sync = Sync::with_visits(3).await;
        sync.upstream.fault(&[after("0"), after("0")]);
        let outcome = sync.ends_with(1, lane).await;
        stopped(&outcome, "RATE_LIMITED");
        assert_eq!((sync.logs().await, sync.upstream.requests().len()), (vec!["failed".to_owned()], 2), "{lane:?}");
        assert_eq!(outcome.count("patients_processed"), 0, "{lane:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_with_the_run() {
    let sync = Sync::with_visits(CROWD).await;
    sync.upstream.fault(&at_second(&vec![Fault::SlowBody(Duration::from_secs(3600)); 9]));
    let began = Instant::now();
    let outcome = sync.run(&["--timeout", "6s"]).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!([1, 3, 124].contains(&outcome.code), "{outcome:?}");
    discreet(&outcome);
    sync.tidy().await;
    assert_eq!(sync.stored_visits().await, 100, "what was read is kept");
    sync.upstream.heal();
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.stored_visits().await, CROWD as i64);
}

#[tokio::test]
async fn a_body_without_an_end_is_not_taken() {
    let sync = Sync::with_visits(3).await;
    sync.upstream.fault(&vec![Fault::Huge; 9]);
    sync.ends_with(1, &["--attempts", "1"]).await;
    let taken = sync.upstream.huge_bytes() >> 20;
    assert!(taken < 100, "{taken} MB");
    assert_eq!(sync.stored_visits().await, 0);
}

/// One visit that is stored, asked for by its id with these faults, which has to end so; returns whether it is deleted.
async fn asked_by_id(faults: &[Fault], code: i32) -> bool {
    let sync = Sync::with_visits(1).await;
    sync.ends_with(0, &[]).await;
    sync.upstream.fault(faults);
    let outcome = sync.ends_with(code, &["--appointment", "v000"]).await;
    balanced(&outcome);
    let deleted = sync.stored_visits().await == 0;
    assert_eq!(outcome.count("deleted"), u64::from(deleted), "{outcome:?}");
    deleted
}

#[tokio::test]
async fn only_not_found_is_gone() {
    for faults in [&[Fault::Status(500)][..], &[Fault::Html(200), Fault::Drop], &[after("1")], &[Fault::TruncatedBody]]
    {
        assert!(!asked_by_id(faults, 0).await, "{faults:?}");
    }
    for fault in
        [Fault::Status(500), Fault::Html(200), Fault::NotJson, Fault::Drop, Fault::Status(410), Fault::Status(400)]
    {
        assert!(!asked_by_id(&vec![fault.clone(); 9], 1).await, "{fault:?}");
    }
    assert!(asked_by_id(&[Fault::Status(404)], 0).await);
}

#[tokio::test]
async fn an_answer_by_id_that_is_no_appointment_changes_nothing() {
    let sync = Sync::with_visits(1).await;
    sync.ends_with(0, &[]).await;
    let before = sync.picture().await;
    sync.upstream.fault(&vec![Fault::NotAList; 9]);
    let outcome = sync.run(&["--appointment", "v000"]).await;
    assert!([1, 3].contains(&outcome.code), "{outcome:?}");
    discreet(&outcome);
    sync.tidy().await;
    assert_eq!(sync.picture().await, before);
}

/// A visit of Zebedee's with something else in it.
fn broken(id: &str, field: &str, value: Value) -> Value {
    let mut row = appointment(id, &ZEBEDEE, "2026-03-12T18:00:00Z");
    row["StartDateIso"] = Value::Null;
    row[field] = value;
    row
}

#[tokio::test]
async fn a_broken_row_among_good_ones_is_alone_in_its_failure() {
    let mut cases = vec![json!("Zebedee Canaryman"), json!(null), json!([1]), json!({})];
    cases.extend([json!(null), json!({"Zebedee": "Canaryman"})].map(|value| broken("x", "Id", value)));
    let starts = [json!(null), json!("Zebedee Canaryman"), json!(1e300), json!({}), json!("NaN"), json!(i64::MAX)];
    cases.extend(starts.map(|value| broken("x", "StartDate", value)));
    for case in cases {
        let sync = Sync::with_visits(5).await;
        sync.upstream.put(case.clone());
        sync.upstream.shift("v004", 9);
        let outcome = sync.run(&[]).await;
        assert_eq!(outcome.code, 3, "{case}: {outcome:?}");
        discreet(&outcome);
        sync.tidy().await;
        balanced(&outcome);
        assert_eq!(totals(&outcome), [5, 0, 0, 1], "{case}: {outcome:?}");
        assert_eq!(outcome.report()["errors"][0]["code"], "ROW_UNREADABLE", "{case}: {outcome:?}");
        assert_eq!((sync.stored_visits().await, sync.logs().await), (5, vec!["partial_success".into()]), "{case}");
    }
}

#[tokio::test]
async fn what_is_only_odd_stops_no_other_row_and_is_not_said() {
    let cases = [
        ("EndDate", json!(null)),
        ("EndDate", json!("Zebedee Canaryman")),
        ("EndDate", json!(0)),
        ("ServiceName", json!("Zebedee\u{0}Canaryman")),
        ("LocationName", json!("Canaryman ".repeat(100_000))),
        ("ServiceName", json!({"Zebedee": ["Canaryman"]})),
        ("PractitionerId", json!(17)),
        ("PractitionerId", json!("")),
        ("TelehealthInfo", json!(null)),
        ("TelehealthInfo", json!("Zebedee Canaryman")),
        ("TelehealthInfo", json!({"JoinUrl": "javascript:canary()"})),
        ("AdditionalClients", json!(null)),
        ("AdditionalClients", json!("Zebedee Canaryman")),
        ("ClientId", json!("11")),
        ("ClientDateOfBirth", json!("the third of Canary")),
        ("ClientName", json!("Zebedee \u{0}Canaryman")),
        ("LastModified", json!("Canaryman")),
        ("LastModified", json!(1e300)),
        ("DateCreated", json!({})),
        ("Price", json!("Canaryman")),
    ];
    let sync = Sync::with_visits(5).await;
    for (number, (field, value)) in cases.iter().enumerate() {
        sync.upstream.put(broken(&format!("odd{number}"), field, value.clone()));
    }
    sync.upstream.shift("v004", 99);
    let outcome = sync.run(&[]).await;
    assert!([0, 3].contains(&outcome.code), "{outcome:?}");
    balanced(&outcome);
    discreet(&outcome);
    sync.tidy().await;
    let good = "SELECT count(*) FROM stored_visits WHERE external_id LIKE 'v%' AND deleted_at IS NULL";
    assert_eq!(sync.clinic.count(good).await, 5, "{outcome:?}");
    let links = "SELECT count(*) FROM stored_visits WHERE meeting_url !~ '^https?://' OR meeting_url ~ 'host-canary'";
    assert_eq!(sync.clinic.count(links).await, 0);
    let [new, _, _, errors] = totals(&outcome);
    assert_eq!(new + errors + outcome.count("skipped"), 5 + cases.len() as u64, "{outcome:?}");
}

#[tokio::test]
async fn pages_that_repeat_for_ever_are_noticed() {
    let sync = Sync::with_visits(100).await;
    sync.upstream.between_pages(|state, lists| {
        // The same hundred, moved behind as many others as the pages before have.
        if lists > 0 {
            (0..100).for_each(|number| state.put(visit(200 + lists * 100 + number)));
        }
        (0..100).for_each(|number| state.shift(&visit_id(number), usize::MAX));
    });
    let outcome = sync.ends_with(1, &["--timeout", "15s"]).await;
    stopped(&outcome, "PRACTICEQ_PAGES");
    assert!(sync.upstream.requests().len() <= 4, "{:?}", sync.pages());
    assert_eq!((sync.stored_visits().await, sync.logs().await), (100, vec!["partial_success".to_owned()]));
    assert_eq!(sync.clinic.count("SELECT count(*) FROM practiceq_state WHERE sweep IS NOT NULL").await, 0);
}

#[tokio::test]
async fn pages_that_overlap_are_no_failure() {
    let sync = Sync::with_visits(CROWD).await;
    // Thirty new ones before those that were read.
    sync.upstream.between_pages(|state, lists| {
        if lists == 1 {
            (500..530).for_each(|number| {
                state.put(visit(number));
                state.shift(&visit_id(number), 0);
            });
        }
    });
    let outcome = sync.ends_with(0, &[]).await;
    balanced(&outcome);
    assert!(sync.stored_visits().await >= CROWD as i64, "{outcome:?}");
    sync.ends_with(0, &[]).await;
    assert_eq!(sync.stored_visits().await, CROWD as i64 + 30);
}
