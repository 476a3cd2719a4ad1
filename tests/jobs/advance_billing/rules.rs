//! Which case is due, at every boundary, and what is written where one moves.

use serde_json::{Value, json};

use super::super::owed;
use super::{BillingFixture, HAND, NOW, PAID, PENDING, STATUSES};
use crate::support::{gate, program};

const STAGES: [(&[&str], i32, i32, &str); 2] =
    [(PENDING, 10, 15, "pending_payment_ts"), (PAID, 15, 20, "paid_to_provider_ts")];

/// A stage as of another instant than now.
fn at<'a>(stage: &[&'a str], as_of: &'a str) -> Vec<&'a str> {
    [&stage[..3], &["--as-of", as_of]].concat()
}

#[tokio::test]
async fn only_an_active_case_at_the_source_of_its_stage_is_due() {
    for (stage, from, to, _) in STAGES {
        let fixture = BillingFixture::new().await;
        fixture.cases_of(&STATUSES).await;
        fixture.cases_of(&STATUSES).await;
        fixture.clinic.sql("UPDATE surgical_cases SET active = false WHERE id > 13").await;
        let moved = STATUSES.map(|status| if status == from { to } else { status });
        let outcome = fixture.run(stage, &[]).await;
        assert_eq!((outcome.count("scanned"), outcome.count("advanced"), outcome.count("skipped")), (1, 1, 0));
        assert_eq!(fixture.in_order().await, [moved, STATUSES].concat(), "{from}");
    }
}

#[tokio::test]
async fn the_dwell_is_over_at_its_last_microsecond() {
    for (stage, more, dwell) in [
        (PAID, &[][..], "24 hours"),
        (PAID, &["--min-dwell", "90m"], "90 minutes"),
        (PAID, &["--min-dwell", "7d"], "168 hours"),
        (PAID, &["--min-dwell", "1ms"], "1 millisecond"),
        (PENDING, &["--min-dwell", "1h"], "1 hour"),
    ] {
        let fixture = BillingFixture::new().await;
        let (from, to) = if stage == PAID { (15, 20) } else { (10, 15) };
        fixture.cases_of(&[from; 3]).await;
        for (case, off) in [(1, "-1"), (2, "+0"), (3, "+1")] {
            fixture.step(case, (8, from), true, &format!("{dwell} {off} microsecond")).await;
        }
        let outcome = fixture.run(stage, more).await;
        assert_eq!(fixture.in_order().await, [from, to, to], "{dwell}");
        assert_eq!((outcome.count("scanned"), outcome.count("advanced")), (3, 2), "{dwell}");
        assert_eq!(outcome.report()["skipped_by_reason"], json!({"dwell": 1}), "{dwell}");
        let outcome = fixture.run(&at(stage, "2026-03-02T08:00:00.000001Z"), more).await;
        assert_eq!((outcome.count("scanned"), outcome.count("advanced")), (1, 1), "{dwell}");
    }
}

#[tokio::test]
async fn without_a_dwell_what_was_moved_this_instant_moves_on() {
    for (stage, more) in [(PENDING, &[][..]), (PENDING, &["--min-dwell", "0s"]), (PAID, &["--min-dwell", "0s"])] {
        let fixture = BillingFixture::new().await;
        let (from, to) = if stage == PAID { (15, 20) } else { (10, 15) };
        fixture.cases_of(&[from]).await;
        fixture.step(1, (8, from), true, "0 s").await;
        assert_eq!(fixture.run(stage, more).await.count("advanced"), 1);
        assert_eq!(fixture.in_order().await, [to]);
    }
}

#[tokio::test]
async fn only_the_jobs_own_last_step_to_pending_payment_is_waited_for() {
    const OLD: &str = "25 hours";
    const YOUNG: &str = "1 hour";
    type Steps = &'static [((i32, i32), bool, &'static str)];
    let held: [(Steps, bool); 11] = [
        (&[], false),
        (&[((10, 15), false, YOUNG)], false),
        (&[((10, 15), true, OLD)], false),
        (&[((10, 15), true, OLD), ((10, 15), false, YOUNG)], false),
        (&[((10, 15), true, OLD), ((15, 10), true, YOUNG)], false),
        (&[((15, 20), true, YOUNG), ((20, 15), false, YOUNG)], false),
        (&[((10, 15), true, YOUNG)], true),
        (&[((10, 15), true, YOUNG), ((10, 15), false, OLD)], true),
        (&[((10, 15), true, OLD), ((10, 15), true, YOUNG)], true),
        // The last is the last that was made, whenever it was written.
        (&[((10, 15), true, YOUNG), ((10, 15), true, OLD)], true),
        (&[((20, 15), true, YOUNG)], true),
    ];
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[15; 11]).await;
    for (case, (steps, _)) in (1..).zip(held) {
        for (step, by_job, ago) in steps {
            fixture.step(case, *step, *by_job, ago).await;
        }
    }
    let outcome = fixture.run(PAID, &[]).await;
    assert_eq!(fixture.in_order().await, held.map(|(_, held)| if held { 15 } else { 20 }));
    assert_eq!((outcome.count("scanned"), &outcome.report()["skipped_by_reason"]), (11, &json!({"dwell": 5})));
}

/// Every timestamp that a case can have, each another.
async fn stamped(fixture: &BillingFixture) {
    let query = "SELECT string_agg(format('%I = timestamptz ''2026-01-01Z'' + interval ''%s minutes''',
                                          timestamp_field, status), ', ') AS s FROM surgical_case_statuses";
    let stamps = fixture.clinic.json(query).await;
    fixture.clinic.sql(&format!("UPDATE surgical_cases SET {}", stamps["s"].as_str().expect("some"))).await;
}

#[tokio::test]
async fn a_case_that_moves_is_stamped_and_recorded_at_the_runs_instant_and_nothing_else_changes() {
    for (stage, from, to, column) in STAGES {
        let fixture = BillingFixture::new().await;
        fixture.cases_of(&[7, from, 500]).await;
        stamped(&fixture).await;
        let mut expected = fixture.rows().await;
        let instant = json!("2026-03-02T08:00:00.123456+00:00");
        for (key, value) in [("case_status", &json!(to)), (column, &instant), ("updated_ts", &instant)] {
            expected[1][key] = value.clone();
        }
        let report = fixture.run(&at(stage, "2026-03-02T08:00:00.123456Z"), &[]).await.report();
        assert_eq!(fixture.rows().await, expected);
        let (run_id, actor) = (&report["run_id"], "system");
        let step = json!({"case_id": "2", "from_status": from, "to_status": to, "actor": actor, "run_id": run_id,
                          "forced": false, "created_at": instant});
        assert_eq!(fixture.history().await, json!([step]));
        assert_eq!(fixture.clinic.count("SELECT count(*) FROM notifications").await, 0);
    }
}

#[tokio::test]
async fn a_case_and_its_record_change_together_or_not_at_all() {
    for (event, table, when) in
        [("INSERT", "surgical_case_status_history", "NEW.case_id = '2'"), ("UPDATE", "surgical_cases", "NEW.id = 2")]
    {
        for (stage, from, to, _) in STAGES {
            let fixture = BillingFixture::new().await;
            fixture.cases_of(&[from; 3]).await;
            owed::fail_before(&fixture.clinic, event, table, when).await;
            let outcome = fixture.clinic.run(stage).await.expect(3);
            owed::balanced(&outcome, "advanced");
            assert_eq!(fixture.in_order().await, [to, from, to], "{event}");
            assert_eq!(outcome.report()["metrics"]["money_moved"], "20.02", "{event}");
            let recorded = "SELECT array_agg(case_id ORDER BY id) AS c FROM surgical_case_status_history";
            assert_eq!(fixture.clinic.json(recorded).await["c"], json!(["1", "3"]), "{event}");
        }
    }
}

/// The metrics of a report; those in the log are the same.
async fn metrics(fixture: &BillingFixture, stage: &[&str]) -> Value {
    let outcome = fixture.run(stage, &["--log-format", "json"]).await;
    let mut metrics = outcome.report()["metrics"].take();
    let lines = outcome.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let logged: Vec<Value> = lines.filter(|line| line.get("money_moved").is_some()).collect();
    assert_eq!(logged.len(), 1, "{}", outcome.stderr);
    assert_eq!(logged[0]["stage"], stage[2]);
    // Time goes on between the two.
    let duration = metrics.as_object_mut().and_then(|metrics| metrics.remove("duration_ms"));
    assert!(duration.is_some_and(|ms| ms.is_u64()) && logged[0]["duration_ms"].is_u64(), "{}", logged[0]);
    for (key, value) in metrics.as_object().expect("an object") {
        assert_eq!(&logged[0][key], value, "{key}");
    }
    metrics
}

#[tokio::test]
async fn money_is_counted_to_the_cent_and_an_unknown_amount_moves_as_nothing() {
    for (pay, money) in [
        (&[][..], "0.00"),
        (&["NULL"], "0.00"),
        (&["0"], "0.00"),
        (&["0.1", "0.2"], "0.30"),
        (&["NULL", "0.05"], "0.05"),
        (&["9999999999.99", "9999999999.99", "0.01"], "19999999999.99"),
    ] {
        let fixture = BillingFixture::new().await;
        for (stage, from, to, _) in STAGES {
            fixture.clinic.sql("DELETE FROM surgical_case_status_history; DELETE FROM surgical_cases").await;
            fixture.cases(from, pay.len() as i64).await;
            for (rank, pay) in pay.iter().enumerate() {
                let nth = format!("(SELECT id FROM surgical_cases ORDER BY id OFFSET {rank} LIMIT 1)");
                fixture.clinic.sql(&format!("UPDATE surgical_cases SET pay_amount = {pay} WHERE id = {nth}")).await;
            }
            let expected = json!({"found": pay.len(), "updated": pay.len(), "excepted": 0, "money_moved": money});
            assert_eq!(metrics(&fixture, stage).await, expected);
            assert_eq!(fixture.in_order().await, vec![to; pay.len()]);
        }
    }
    // What is held back is found, and moves no money.
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[15; 3]).await;
    fixture.step(2, (10, 15), true, "1 hour").await;
    let expected = json!({"found": 3, "updated": 2, "excepted": 1, "money_moved": "20.02"});
    assert_eq!(metrics(&fixture, PAID).await, expected);
}

#[tokio::test]
async fn billing_and_those_who_may_start_any_job_start_it_and_are_recorded() {
    let fixture = BillingFixture::new().await;
    let other = fixture.clinic.facility("Asia/Kathmandu", None).await;
    for facility in [fixture.facility, other] {
        let theirs = format!("UPDATE surgical_cases SET facility_id = {facility}");
        for (stage, from, to, _) in STAGES {
            for role in ["BILLING", "SUPERVISOR", "HOSPITAL_ADMIN"] {
                fixture.clinic.sql("DELETE FROM surgical_case_status_history; DELETE FROM surgical_cases").await;
                fixture.cases_of(&[from]).await;
                fixture.clinic.sql(&theirs).await;
                let user = fixture.clinic.user(facility, role).await.to_string();
                let run = fixture.run(stage, &["--actor", &user]).await.report()["run_id"].take();
                assert_eq!(fixture.in_order().await, [to], "{role}");
                let step = fixture.history().await[0].take();
                assert_eq!((&step["actor"], &step["forced"]), (&json!(user), &json!(false)), "{role}");
                let recorded =
                    format!("SELECT actor, source FROM cron_job_runs WHERE id = '{}'", run.as_str().expect("id"));
                assert_eq!(fixture.clinic.json(&recorded).await, json!({"actor": user, "source": "manual"}), "{role}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_else_starts_it() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[10, 15]).await;
    let mut refused = vec![("4711".to_owned(), "ACTOR_UNKNOWN")];
    for role in ["RECEPTIONIST", "NURSE", "DOCTOR", "CASE_MANAGER", "AGENT", "MANAGER"] {
        refused.push((fixture.clinic.user(fixture.facility, role).await.to_string(), "ACTOR_NOT_ALLOWED"));
    }
    let gone = fixture.clinic.user(fixture.facility, "BILLING").await;
    fixture.clinic.sql(&format!("UPDATE users SET active = false WHERE id = {gone}")).await;
    refused.push((gone.to_string(), "ACTOR_INACTIVE"));
    let before = owed::state(&fixture.clinic).await;
    let by_hand = &[HAND, &["--case", "1", "--to", "15"]].concat();
    for (user, code) in refused {
        for job in [PENDING, PAID, by_hand] {
            let outcome = fixture.clinic.run(&[job, &["--actor", &user]].concat()).await.expect(2);
            assert_eq!(outcome.report()["error_code"], code, "{user}");
        }
    }
    assert_eq!(owed::state(&fixture.clinic).await, before);
}

/// After an outage a scheduler starts at once what it missed.
#[tokio::test]
async fn two_timers_at_once_never_carry_a_case_two_steps() {
    let fixture = BillingFixture::new().await;
    fixture.cases(10, 30).await;
    fixture.cases(15, 5).await;
    gate::build_for(&fixture.clinic, "surgical_case_status_history", "case_id").await;
    gate::close(&fixture.clinic, 21).await;
    let pending = fixture.clinic.program.start(&[PENDING, &["--batch-rows", "10"]].concat());
    gate::reached(&fixture.clinic).await;
    let paid = fixture.run(PAID, &[]).await;
    assert_eq!((paid.count("advanced"), &paid.report()["skipped_by_reason"]), (5, &json!({"dwell": 20})));
    gate::open(&fixture.clinic).await;
    program::finish(pending).await.expect(0);
    for (as_of, advanced, skipped) in [
        (NOW, 0, 30),
        ("2026-03-02T08:01:00Z", 0, 30),
        ("2026-03-03T07:59:59.999999Z", 0, 30),
        ("2026-03-03T08:00:00Z", 30, 0),
        ("2026-03-03T08:01:00Z", 0, 0),
    ] {
        let outcome = fixture.run(&at(PAID, as_of), &[]).await;
        assert_eq!((outcome.count("advanced"), outcome.count("skipped")), (advanced, skipped), "{as_of}");
    }
    assert_eq!(fixture.statuses().await, [(20, 35)]);
}

#[tokio::test]
async fn every_status_stamps_a_column_of_its_own_and_every_such_column_has_a_status() {
    let fixture = BillingFixture::new().await;
    let query = "SELECT (SELECT jsonb_agg(status ORDER BY status) FROM surgical_case_statuses) AS statuses,
                        (SELECT jsonb_agg(timestamp_field ORDER BY timestamp_field) FROM surgical_case_statuses) AS fields,
                        (SELECT jsonb_agg(column_name ORDER BY column_name COLLATE \"default\")
                         FROM information_schema.columns
                         WHERE table_name = 'surgical_cases' AND data_type = 'timestamp with time zone'
                           AND is_nullable = 'YES') AS columns";
    let found = fixture.clinic.json(query).await;
    assert_eq!((&found["statuses"], &found["fields"]), (&json!(STATUSES), &found["columns"]));
    let billing = fixture.clinic.user(fixture.facility, "BILLING").await.to_string();
    fixture.cases_of(&STATUSES).await;
    stamped(&fixture).await;
    let fields =
        fixture.clinic.json("SELECT jsonb_object_agg(status, timestamp_field) AS f FROM surgical_case_statuses").await;
    let mut expected = fixture.rows().await;
    // Each case from its own status to the next, the last to the first.
    for (case, to) in (0..).zip(STATUSES.iter().cycle().skip(1)).take(13) {
        let field = fields["f"][to.to_string()].as_str().expect("a field");
        let (id, to_text) = ((case + 1).to_string(), to.to_string());
        let force = ["--case", &id, "--to", &to_text, "--force", "--actor", &billing];
        let report = fixture.run(HAND, &force).await.report();
        assert_eq!(report["updated"][0]["timestamp_field"], field);
        for (key, value) in [("case_status", json!(to)), (field, json!("2026-03-02T08:00:00+00:00"))] {
            expected[case][key] = value;
        }
        expected[case]["updated_ts"] = json!("2026-03-02T08:00:00+00:00");
        assert_eq!(fixture.rows().await, expected, "to {to}");
    }
}

#[tokio::test]
async fn the_steps_that_the_job_may_make_are_rows() {
    let fixture = BillingFixture::new().await;
    fixture.cases_of(&[15, 15, 20, 10]).await;
    fixture.step(2, (10, 15), true, "2 hours").await;
    fixture
        .clinic
        .sql(
            "UPDATE surgical_case_transitions SET to_status = 30, min_dwell = '2 hours 1 second' WHERE stage = 'paid';
             INSERT INTO surgical_case_transitions VALUES ('received', 20, 40, '0')",
        )
        .await;
    assert_eq!(fixture.run(PAID, &[]).await.report()["skipped_by_reason"], json!({"dwell": 1}));
    assert_eq!(fixture.in_order().await, [30, 15, 20, 10]);
    fixture.run(HAND, &["--case", "3", "2", "--to", "40"]).await;
    assert_eq!(fixture.in_order().await, [30, 15, 40, 10]);
    fixture.clinic.sql("DELETE FROM surgical_case_transitions WHERE stage = 'pending-payment'").await;
    let outcome = fixture.run(HAND, &["--case", "4", "--to", "15"]).await;
    assert_eq!((outcome.count("advanced"), fixture.in_order().await), (0, vec![30, 15, 40, 10]));
}
