//! `deliver-notifications`: what becomes of a message, by what its provider says and by what dies.

mod email;
mod owed;
mod sms;
mod templates;

use std::fs;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::program::{self, Outcome};
use crate::support::provider::{ProviderServer, Reply};
use crate::support::{Clinic, Program};

/// A clinic with the endpoint `pager`.
struct Fixture {
    clinic: Clinic,
    server: ProviderServer,
    program: Program,
    _place: TempDir,
}

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const WEBHOOKS: [&str; 3] = ["deliver-notifications", "--channel", "webhook"];

impl Fixture {
    async fn new() -> Self {
        let (clinic, server) = (Clinic::new().await, ProviderServer::start().await);
        let place = tempfile::tempdir().expect("a place for files");
        let file = place.path().join("endpoints.toml");
        let text = format!("[pager]\nurl = \"{}/hook\"\nsecret = \"{SECRET}\"\n", server.url());
        fs::write(&file, text).expect("can be written");
        let program = clinic
            .program
            .clone()
            .env("ROUNDS_WEBHOOK_ENDPOINTS", file.to_str().expect("a path"))
            .env("ROUNDS_PER_SECOND", "1000");
        Self { clinic, server, program, _place: place }
    }

    /// So many messages to the pager.
    async fn staged(&self, messages: i64) {
        let insert = format!(
            "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity, entity_id,
                                        dedupe_key, status, created_at)
             SELECT 'ADDRESS', 'pager', 'WEBHOOK', 'JOB_FAILING', 't', 'b', '{{\"failures\": 3}}', 'cron_job_run', n::text,
                    'k' || n, 'PENDING', clock_timestamp()
             FROM generate_series(1, {messages}) n"
        );
        self.clinic.sql(&insert).await;
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        self.program.run(&[&WEBHOOKS, args].concat()).await
    }

    /// How many messages have each status, and why.
    async fn states(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', count(*), status, reason) AS t FROM notifications
                     GROUP BY status, reason ORDER BY status, reason";
        self.clinic.rows(query).await.iter().map(|row| row.get("t")).collect()
    }

    async fn again(&self) {
        self.clinic.sql("UPDATE notifications SET next_attempt_at = NULL WHERE status = 'PENDING'").await;
    }
}

#[tokio::test]
async fn as_many_messages_are_under_way_as_there_are_slots_and_never_more() {
    let fixture = Fixture::new().await;
    fixture.staged(60).await;
    fixture.server.always(Reply::After(Duration::from_millis(5), 204, String::new()));
    let count = "CREATE TABLE seen (sending bigint);
                 CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                     INSERT INTO rounds.seen SELECT count(*) FROM rounds.notifications WHERE status = 'SENDING';
                     RETURN NULL;
                 END $$;
                 CREATE TRIGGER see AFTER UPDATE ON notifications FOR EACH STATEMENT EXECUTE FUNCTION see()";
    fixture.clinic.sql(count).await;
    fixture.run(&["--concurrency", "3"]).await.expect(0);
    assert_eq!(fixture.states().await, ["60 SENT"]);
    assert_eq!(fixture.clinic.count("SELECT max(sending) FROM seen").await, 3);
}

#[tokio::test]
async fn what_the_endpoint_takes_is_sent_once_signed_and_without_a_text() {
    let fixture = Fixture::new().await;
    fixture.staged(3).await;
    let report = fixture.run(&[]).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["sent"], &report["failed"]), (&json!(3), &json!(3), &json!(0)), "{report}");
    assert_eq!(fixture.states().await, ["3 SENT"]);
    let requests = fixture.server.requests();
    let first = &requests[0];
    assert_eq!((requests.len(), first.path.as_str()), (3, "/hook"));
    let body: serde_json::Value = serde_json::from_str(&first.body).expect("JSON");
    assert_eq!((&body["type"], &body["data"]["metadata"]["failures"]), (&json!("JOB_FAILING"), &json!(3)), "{body}");
    assert!(first.headers["webhook-signature"].starts_with("v1,") && first.headers.contains_key("webhook-timestamp"));
    assert_eq!(fixture.run(&[]).await.expect(0).count("scanned"), 0);
    assert_eq!(fixture.server.requests().len(), 3);
}

#[tokio::test]
async fn what_it_does_not_take_is_tried_again_later_and_not_for_ever() {
    let fixture = Fixture::new().await;
    fixture.staged(5).await;
    let cut = [
        Reply::Status(503, String::new()),
        Reply::With(429, "retry-after: 900".to_owned()),
        Reply::Drop,
        Reply::Status(400, "no".to_owned()),
        Reply::Huge,
    ];
    fixture.server.replies(cut);
    let report = fixture.run(&["--concurrency", "1"]).await.expect(3).report();
    assert_eq!((&report["sent"], &report["failed"]), (&json!(1), &json!(1)), "what was answered with 200 has arrived");
    let states = fixture.states().await;
    assert_eq!(
        states,
        ["1 FAILED HTTP_400", "1 PENDING HTTP_429", "1 PENDING HTTP_503", "1 PENDING WEBHOOK_NO_ANSWER", "1 SENT"]
    );
    let waits = "SELECT count(*) FROM notifications WHERE next_attempt_at > clock_timestamp() + interval '890 seconds'";
    assert_eq!(fixture.clinic.count(waits).await, 1, "as long as the provider asks for");
    assert_eq!(fixture.run(&[]).await.expect(0).count("scanned"), 0, "none is due yet");
    fixture.server.always(Reply::Status(500, String::new()));
    for _ in 0..5 {
        fixture.again().await;
        fixture.run(&["--max-attempts", "3"]).await;
    }
    assert_eq!(fixture.states().await, ["1 FAILED HTTP_400", "3 FAILED HTTP_500", "1 SENT"]);
    let attempts = "SELECT count(*) FROM notifications WHERE attempts = 3";
    assert_eq!((fixture.clinic.count(attempts).await, fixture.server.requests().len()), (3, 5 + 6));
}

#[tokio::test]
async fn a_provider_that_is_down_or_refuses_us_stops_the_channel_and_uses_up_no_message() {
    let fixture = Fixture::new().await;
    fixture.staged(20).await;
    fixture.server.always(Reply::Status(401, String::new()));
    let report = fixture.run(&["--concurrency", "2"]).await.expect(1).report();
    assert_eq!(report["error_code"], "CHANNEL_STOPPED", "{report}");
    assert!(fixture.server.requests().len() <= 2, "none after the first refusal but what was under way");
    let nowhere = fixture._place.path().join("nowhere.toml");
    fs::write(&nowhere, format!("[pager]\nurl = \"http://127.0.0.1:9/\"\nsecret = \"{SECRET}\"\n")).expect("writable");
    fixture.again().await;
    let program = fixture.program.clone().env("ROUNDS_WEBHOOK_ENDPOINTS", nowhere.to_str().expect("a path"));
    let report = program.run(&WEBHOOKS).await.expect(1).report();
    assert_eq!(report["error_code"], "PROVIDER_UNREACHABLE", "{report}");
    let untouched = "SELECT count(*) FROM notifications WHERE status = 'PENDING' AND attempts = 0";
    assert_eq!(fixture.clinic.count(untouched).await, 20);
}

#[tokio::test]
async fn what_a_killed_run_was_sending_is_known_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.staged(12).await;
    fixture.server.always(Reply::Hold(200, String::new()));
    let mut killed = fixture.program.start(&[&WEBHOOKS[..], &["--concurrency", "4"]].concat());
    fixture.server.came(4).await;
    assert_eq!(fixture.states().await, ["8 PENDING", "4 SENDING"]);
    killed.kill().await.expect("it lives");
    fixture.clinic.expire_leases().await;
    fixture.server.always(Reply::Status(200, String::new()));
    let report = fixture.run(&[]).await.expect(0).report();
    assert_eq!((&report["settled"], &report["sent"]), (&json!(4), &json!(12)), "{report}");
    assert_eq!(fixture.states().await, ["12 SENT"]);
    let ids: Vec<String> =
        fixture.server.requests().iter().map(|request| request.headers["webhook-id"].clone()).collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (16, 12), "the receiver knows the four by their ids");
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_waits_for_its_answers_and_sends_no_more() {
    let fixture = Fixture::new().await;
    fixture.staged(12).await;
    fixture.server.always(Reply::After(Duration::from_millis(300), 200, String::new()));
    let run = fixture.program.start(&[&WEBHOOKS[..], &["--concurrency", "4"]].concat());
    fixture.server.came(4).await;
    program::signal(&run, libc::SIGTERM);
    program::finish(run).await.expect(143);
    assert_eq!(fixture.states().await, ["8 PENDING", "4 SENT"]);
}

#[tokio::test]
async fn old_messages_and_a_backlog_are_not_sent() {
    let fixture = Fixture::new().await;
    fixture.staged(6).await;
    fixture
        .clinic
        .sql(
            "UPDATE notifications SET created_at = clock_timestamp() - interval '25 hours' WHERE id % 3 = 0;
             UPDATE notifications SET expires_at = clock_timestamp() - interval '1 second' WHERE id % 3 = 1",
        )
        .await;
    let dry = fixture.run(&["--dry-run"]).await.expect(0).report();
    assert_eq!((&dry["sent"], &dry["skipped_by_reason"]["expired"]), (&json!(2), &json!(4)), "{dry}");
    let outcome = fixture.run(&[]).await.expect(0);
    assert!(outcome.stderr.contains("2 messages older than") && outcome.stderr.contains("--max-age"), "{outcome:?}");
    assert_eq!(fixture.states().await, ["2 EXPIRED OVER", "2 EXPIRED TOO_OLD", "2 SENT"]);
    let first = Fixture::new().await;
    first.staged(101).await;
    let program = first.program.clone().without("ROUNDS_FIRST_RUN_MAX");
    let outcome = program.run(&WEBHOOKS).await.expect(5);
    assert!(!format!("{outcome:?}").contains("--list"), "it has no list: {outcome:?}");
    // What is advised can be typed as it is.
    let advice = outcome.report()["error_message"].as_str().expect("it says why").to_owned();
    assert!(advice.contains("`rounds deliver-notifications --channel webhook --max-items 112`"), "{advice}");
    assert_eq!(first.states().await, ["101 PENDING"]);
    assert_eq!(first.server.requests().len(), 0);
}
