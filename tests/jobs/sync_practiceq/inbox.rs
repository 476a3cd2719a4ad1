//! Events of the account: each is kept before anything else is done, one request is sent for many, and none is lost.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::words::{ANN, LATER, PAT, balanced, totals};
use crate::support::practiceq::{Fault, NOW, Sync, appointment};
use crate::support::program::{self, Outcome};
use crate::support::role::of_url;
use crate::support::{Program, connect, server};

const LEASE: [&str; 2] = ["--lease", "2s"];

/// The body of an event about a visit, as the account sends it; but all of it is wrong, except the id.
fn event(id: &str) -> Vec<u8> {
    let mut row = appointment(id, &ANN, "2026-03-20T18:00:00Z");
    (row["Status"], row["ServiceName"]) = (json!("Canceled"), json!("CANARY-event"));
    json!({"EventType": "AppointmentCanceled", "ClientId": 200, "Appointment": row}).to_string().into_bytes()
}

impl Sync {
    /// A patient, and visits of the account.
    async fn with(visits: &[&str]) -> Self {
        let sync = Self::new().await;
        sync.patient_of(&PAT).await;
        visits.iter().for_each(|id| sync.upstream.put(appointment(id, &PAT, LATER)));
        sync
    }

    /// Runs it with a body on the standard input.
    async fn receives(&self, body: &[u8], more: &[&str]) -> Outcome {
        let args = [&["sync-practiceq", "--event", "-", "--as-of", NOW], more].concat();
        self.clinic.program.run_with_input(&args, body).await
    }

    /// The same of an event about this visit, which ends so.
    async fn event(&self, id: &str, code: i32, more: &[&str]) -> Outcome {
        let outcome = self.receives(&event(id), more).await.expect(code);
        balanced(&outcome);
        outcome
    }

    async fn drained(&self, code: i32, more: &[&str]) -> Outcome {
        self.ends(code, &[&["--inbox"], more].concat()).await
    }

    /// An application that receives events by itself.
    async fn insert(&self, ids: &[&str]) {
        for id in ids {
            self.clinic.sql(&format!("INSERT INTO practiceq_inbox (external_id) VALUES ('{id}')")).await;
        }
    }

    /// As if a minute had passed, and an hour for what failed.
    async fn later(&self) {
        let passed = "UPDATE practiceq_inbox SET received_at = received_at - interval '2 h',
                          next_try_at = next_try_at - interval '2 h', asked_at = asked_at - interval '2 h'";
        self.clinic.sql(passed).await;
    }

    /// The events that wait, by visit.
    async fn events_waiting(&self) -> Value {
        let waiting = "SELECT coalesce(jsonb_agg(external_id ORDER BY id), '[]') FROM practiceq_inbox
                       WHERE done_at IS NULL";
        self.one(waiting).await
    }
}

fn events(outcome: &Outcome) -> [u64; 2] {
    ["done", "waiting"].map(|key| outcome.report()["events"][key].as_u64().unwrap_or_else(|| panic!("{outcome:?}")))
}

#[tokio::test]
async fn an_event_brings_its_visit_as_the_account_has_it() {
    let sync = Sync::with(&["a1", "a2"]).await;
    let outcome = sync.event("a1", 0, &[]).await;
    assert_eq!((totals(&outcome), events(&outcome)), ([1, 0, 0, 0], [1, 0]));
    assert_eq!(sync.asked_for(), ["appointments/a1"], "one request, by its id");
    let [status, service, starts] = sync.stored_as("a1", ["status", "service_name", "starts_at"]).await;
    assert_eq!([status, service, starts], ["CONFIRMED", "Canary follow-up", "2026-03-10T18:00:00+00:00"]);
    let log = sync.clinic.json("SELECT sync_type, status, appointments_new FROM sync_logs").await;
    assert_eq!(log, json!({"sync_type": "webhook", "status": "completed", "appointments_new": 1}));
    let run = sync.clinic.json("SELECT lane, status, metadata FROM cron_job_runs").await;
    assert_eq!([&run["lane"], &run["status"]], ["inbox", "COMPLETED"]);
    assert_eq!(sync.tables_with("CANARY-event").await, [""; 0], "nothing of the event is kept");
    let request = sync.clinic.json("SELECT manual, event, purpose FROM api_requests").await;
    assert_eq!(request, json!({"manual": false, "event": true, "purpose": "event, appointment a1"}));
    // It is changed, and then deleted; and one that nobody knows is no error.
    sync.upstream.edit("a1", |row| row["Status"] = json!("Missed"));
    sync.later().await;
    assert_eq!(totals(&sync.event("a1", 0, &[]).await)[1], 1);
    sync.upstream.vanish("a1");
    sync.later().await;
    assert_eq!(sync.event("a1", 0, &[]).await.count("deleted"), 1);
    assert_ne!(sync.stored("a1").await["deleted_at"], Value::Null);
    let unknown = sync.event("4711", 0, &[]).await;
    assert_eq!((totals(&unknown), events(&unknown)), ([0; 4], [1, 0]));
    // Without an event nothing is asked for, and no log is written.
    let logs = sync.logs().await.len();
    assert_eq!(events(&sync.drained(0, &[]).await), [0, 0]);
    assert_eq!((sync.logs().await.len(), sync.upstream.requests().len()), (logs, 4));
}

#[tokio::test]
async fn many_events_of_one_visit_within_a_minute_are_one_request() {
    let sync = Sync::with(&["a1", "b1"]).await;
    sync.insert(&["a1"; 9]).await;
    assert_eq!(events(&sync.event("a1", 0, &[]).await), [10, 0], "those that came before it was asked for");
    for number in 1..=3 {
        assert_eq!(events(&sync.event("a1", 0, &[]).await), [0, number]);
    }
    assert_eq!(events(&sync.event("b1", 0, &[]).await), [1, 3], "another one need not wait");
    assert_eq!((sync.asked_by_id("a1"), sync.asked_by_id("b1")), (1, 1));
    // What they were about is asked for when the minute is over.
    sync.upstream.edit("a1", |row| row["Status"] = json!("Missed"));
    sync.later().await;
    let outcome = sync.drained(0, &[]).await;
    assert_eq!((totals(&outcome)[1], events(&outcome)), (1, [3, 0]));
    assert_eq!(sync.asked_by_id("a1"), 2);
}

#[tokio::test]
async fn an_event_whose_run_is_skipped_is_not_lost() {
    let sync = Sync::with(&["a1", "b1", "c1"]).await;
    sync.upstream.fault(&[Fault::HeldBody]);
    let args = ["sync-practiceq", "--event", "-", "--as-of", NOW];
    let mut first = sync.clinic.program.start_with_input(&args);
    let mut pipe = first.stdin.take().expect("a pipe");
    pipe.write_all(&event("a1")).await.expect("it reads");
    drop(pipe);
    sync.upstream.asked(1).await;
    for id in ["b1", "c1"] {
        assert_eq!(sync.receives(&event(id), &[]).await.expect(0).report()["status"], "SKIPPED", "{id}");
    }
    assert_eq!(sync.events_waiting().await, json!(["a1", "b1", "c1"]));
    sync.upstream.let_go();
    let outcome = program::finish(first).await.expect(0);
    assert_eq!((totals(&outcome)[0], events(&outcome)), (3, [3, 0]), "whoever is at work does the others");
    // While the job is paused.
    let group = sync.clinic.of_the_group().await.to_string();
    let pause = ["pause", "sync-practiceq", "--reason", "a look", "--actor", &group];
    sync.clinic.run(&pause).await.expect(0);
    sync.upstream.put(appointment("d1", &PAT, LATER));
    assert_eq!(sync.receives(&event("d1"), &[]).await.expect(0).report()["status"], "SKIPPED");
    assert_eq!(sync.events_waiting().await, json!(["d1"]));
    sync.clinic.run(&["resume", "sync-practiceq", "--actor", &group]).await.expect(0);
    assert_eq!(events(&sync.drained(0, &[]).await), [1, 0]);
}

#[tokio::test]
async fn a_run_that_is_killed_loses_no_event() {
    let sync = Sync::with(&["a1", "b1"]).await;
    sync.insert(&["a1", "b1"]).await;
    for fault in [vec![Fault::HeldBody], vec![Fault::None, Fault::HeldBody]] {
        let asked = sync.upstream.requests().len() + fault.len();
        sync.upstream.fault(&fault);
        let mut run = sync.start(&[&["--inbox"], &LEASE[..]].concat());
        sync.upstream.asked(asked).await;
        run.kill().await.expect("it lives");
        sync.clinic.bury().await;
        sync.upstream.let_go();
    }
    assert_eq!(sync.events_waiting().await, json!(["b1"]), "what was stored is done");
    assert_eq!(events(&sync.drained(0, &LEASE).await), [1, 0]);
    assert_eq!(sync.visits().await.len(), 2);
    assert_eq!(sync.logs().await, ["failed", "failed", "completed"]);
}

#[tokio::test]
async fn events_take_a_fifth_of_the_days_requests_and_no_more() {
    let visits = ["a1", "a2", "a3", "a4"];
    let sync = Sync::with(&visits).await;
    let day = ["--requests-per-day", "10"];
    for id in &visits[..2] {
        assert_eq!(events(&sync.event(id, 0, &day).await), [1, 0]);
    }
    let third = sync.event(visits[2], 0, &day).await;
    assert_eq!((events(&third), third.count("requests")), ([0, 1], 0));
    assert!(third.stderr.contains("BUDGET"), "it says why: {third:?}");
    assert_eq!(sync.upstream.requests().len(), 2);
    // The others may go on, and count what events took: eight are a scheduler's, and each run takes three.
    for _ in 0..2 {
        sync.ends(0, &[&["--incremental"], &day[..]].concat()).await;
    }
    sync.ends(1, &[&["--incremental"], &day[..]].concat()).await;
    sync.ends(0, &[&["--appointment", "a4"], &day[..]].concat()).await;
    // The next day.
    sync.clinic.sql("UPDATE api_requests SET requested_at = requested_at - interval '25 h'").await;
    assert_eq!(events(&sync.drained(0, &day).await), [1, 0]);
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_not_kept() {
    let sync = Sync::with(&["a1"]).await;
    let padded = |bytes: usize| {
        let mut body = event("a1");
        body.resize(bytes, b' ');
        body
    };
    let bodies: [&[u8]; 7] = [
        &padded(1_000_001),
        b"",
        b"a1",
        b"{\"Appointment\": {\"Id\": \"CANARY-1\"}",
        b"{\"Appointment\": {\"Id\": \"CANARY 1\"}}",
        b"{\"IntakeId\": \"a1\", \"Type\": \"CANARY\"}",
        b"\xff\xfe",
    ];
    for body in bodies {
        let outcome = sync.receives(body, &[]).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "NO_EVENT", "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    }
    sync.receives(&event("a1"), &["--patient", "1"]).await.expect(2);
    sync.run(&["--event", "/nowhere/CANARY"]).await.expect(2);
    sync.run(&["--event", "/dev/zero"]).await.expect(2);
    assert_eq!((sync.events_waiting().await, sync.upstream.requests().len()), (json!([]), 0));
    assert_eq!(sync.clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    assert_eq!(events(&sync.receives(&padded(1_000_000), &[]).await.expect(0)), [1, 0]);
}

#[tokio::test]
async fn an_event_is_kept_also_where_nobody_can_ask() {
    let sync = Sync::with(&["a1", "b1", "c1"]).await;
    let args = ["sync-practiceq", "--event", "-"];
    let keyless = sync.clinic.program.clone().without("ROUNDS_PRACTICEQ_KEY");
    keyless.run_with_input(&args, &event("a1")).await.expect(2);
    assert_eq!(sync.events_waiting().await, json!(["a1"]));
    // The account is down: each waits longer after each try, and two in vain are enough.
    sync.insert(&["b1", "c1"]).await;
    sync.upstream.fault(&[Fault::Status(503), Fault::Status(503)]);
    let outcome = sync.drained(1, &["--attempts", "1"]).await;
    assert_eq!((outcome.count("requests"), outcome.report()["error_code"].clone()), (2, json!("ALL_FAILED")));
    let tries = "SELECT jsonb_agg(jsonb_build_array(external_id, tries,
                     round(extract(epoch FROM next_try_at - clock_timestamp()) / 60)) ORDER BY id) FROM practiceq_inbox";
    assert_eq!(sync.one(tries).await, json!([["a1", 1, 1], ["b1", 1, 1], ["c1", 0, null]]));
    assert_eq!(events(&sync.drained(0, &[]).await), [1, 2], "whose try has not come waits");
    assert_eq!(events(&sync.event("a1", 0, &[]).await), [0, 3], "whatever comes");
    sync.later().await;
    assert_eq!(events(&sync.drained(0, &[]).await), [3, 0]);
    // A database that is not there keeps nothing, and says so.
    let nowhere = Program::new("postgres://x@127.0.0.1:9/x").env("ROUNDS_PRACTICEQ_KEY", "k");
    nowhere.run_with_input(&[&args[..], &["--attempts", "1"]].concat(), &event("a1")).await.expect(1);
}

#[tokio::test]
async fn a_dry_run_keeps_and_changes_nothing() {
    let sync = Sync::with(&["a1", "b1"]).await;
    sync.insert(&["b1"]).await;
    let before = (sync.everything().await, sync.events_waiting().await);
    let outcome = sync.event("a1", 0, &["--dry-run"]).await;
    assert_eq!((totals(&outcome)[0], outcome.count("requests")), (2, 2));
    assert_eq!((sync.everything().await, sync.events_waiting().await), before);
}

#[tokio::test]
async fn a_visit_that_somebody_holds_is_asked_for_again() {
    let sync = Sync::with(&["a1"]).await;
    sync.sweep().await;
    sync.upstream.edit("a1", |row| row["Status"] = json!("Missed"));
    let holder = connect(&server().url(&sync.clinic.database)).await;
    let hold = "BEGIN; SELECT FROM appointments WHERE external_id = 'a1' FOR NO KEY UPDATE";
    holder.batch_execute(hold).await.expect("locked");
    let outcome = sync.event("a1", 0, &[]).await;
    assert_eq!((totals(&outcome)[1], events(&outcome)), (0, [0, 1]));
    holder.batch_execute("COMMIT").await.expect("let go");
    sync.later().await;
    assert_eq!((totals(&sync.drained(0, &[]).await)[1], sync.events_waiting().await), (1, json!([])));
}

#[tokio::test]
async fn an_application_inserts_ids_and_can_do_nothing_else() {
    let sync = Sync::with(&["a1"]).await;
    let name = format!("app_{}", std::process::id());
    sync.clinic
        .sql(&format!(
            "CREATE ROLE {name} LOGIN;
             GRANT USAGE ON SCHEMA rounds TO {name};
             GRANT INSERT (external_id) ON rounds.practiceq_inbox TO {name}"
        ))
        .await;
    let application = connect(&of_url(&server().url(&sync.clinic.database), &name)).await;
    application
        .batch_execute("INSERT INTO rounds.practiceq_inbox (external_id) VALUES ('a1'), ('a1')")
        .await
        .expect("may");
    for statement in [
        "INSERT INTO rounds.practiceq_inbox (external_id) VALUES ('../clients')",
        "INSERT INTO rounds.practiceq_inbox (external_id) VALUES (E'a1\\n')",
        "INSERT INTO rounds.practiceq_inbox (external_id, received_at) VALUES ('a1', '2020-01-01')",
        "SELECT external_id FROM rounds.practiceq_inbox",
        "DELETE FROM rounds.practiceq_inbox",
        "SELECT FROM rounds.practiceq_visits",
    ] {
        application.batch_execute(statement).await.expect_err(statement);
    }
    assert_eq!(events(&sync.drained(0, &[]).await), [2, 0]);
    assert_eq!(sync.asked_by_id("a1"), 1);
    drop(application);
    sync.clinic.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await;
}

#[tokio::test]
async fn no_event_is_done_before_it_was_received() {
    let sync = Sync::with(&["a1"]).await;
    // It is received while the account is being asked: what the account says may be older.
    sync.insert(&["a1"]).await;
    sync.upstream.fault(&[Fault::SlowBody(Duration::from_millis(300))]);
    let run = sync.start(&["--inbox"]);
    sync.upstream.asked(1).await;
    sync.insert(&["a1"]).await;
    let outcome = program::finish(run).await.expect(0);
    assert_eq!((events(&outcome), sync.events_waiting().await), ([1, 1], json!(["a1"])));
    // The clock is put back: what lies in the future holds nothing up, and ends.
    let future = "UPDATE practiceq_inbox SET received_at = clock_timestamp() + interval '3 days',
                      asked_at = CASE WHEN done_at IS NOT NULL THEN clock_timestamp() + interval '3 days' END,
                      next_try_at = CASE WHEN done_at IS NULL THEN clock_timestamp() + interval '3 days' END";
    sync.clinic.sql(future).await;
    assert_eq!((events(&sync.drained(0, &[]).await), sync.asked_by_id("a1")), ([1, 0], 2));
}
