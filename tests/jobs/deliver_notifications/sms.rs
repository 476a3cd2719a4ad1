//! SMS: what becomes of a message by each answer of Twilio, and what its provider says of it later.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::program::Outcome;
use crate::support::provider::{ProviderServer, Reply, Request};
use crate::support::{Clinic, Program};

/// The instant on the clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the provider of the test has no other clock")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";
const TOKEN: &str = "CANARYTOKEN0123456789";
/// The account and the token in base64.
const AUTHORIZATION: &str = "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpDQU5BUllUT0tFTjAxMjM0NTY3ODk=";
const SMS: [&str; 3] = ["deliver-notifications", "--channel", "sms"];
const FROM: &str = "+12125550100";

/// A clinic whose provider of SMS is this server. Its patients have the numbers +1 212 555 0101 and so on.
struct Fixture {
    clinic: Clinic,
    server: ProviderServer,
    program: Program,
}

impl Fixture {
    async fn new() -> Self {
        let (clinic, server) = (Clinic::new().await, ProviderServer::start().await);
        server.always(taken(99));
        let program = clinic
            .program
            .clone()
            .env("ROUNDS_TWILIO_URL", &server.url())
            .env("ROUNDS_TWILIO_ACCOUNT", ACCOUNT)
            .env("ROUNDS_TWILIO_TOKEN", TOKEN)
            .env("ROUNDS_SMS_FROM", FROM)
            .env("ROUNDS_QUIET_HOURS", "off")
            .env("ROUNDS_PER_SECOND", "1000")
            .env("ROUNDS_CONCURRENCY", "1");
        Self { clinic, server, program }
    }

    /// A message to a patient each, sent in their order.
    async fn staged(&self, messages: i64) {
        let insert = format!(
            "WITH p AS (INSERT INTO patients (mrn, first_name, last_name, phone)
                        SELECT 'M' || n, 'CANARYNAME', 'CANARYNAME', '(212) 555-' || lpad((100 + n)::text, 4, '0')
                        FROM generate_series(1, {messages}) n
                        RETURNING id::text AS id, substr(mrn, 2)::int AS n)
             INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, created_at)
             SELECT 'PATIENT', p.id, 'SMS', 'TEST', 't', 'CANARYBODY – ' || p.n, 'test', p.n::text, 'k' || p.n,
                    'PENDING', clock_timestamp() - interval '1 minute'
             FROM p ORDER BY p.n"
        );
        self.clinic.sql(&insert).await;
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        self.program.run(&[&SMS, args].concat()).await
    }

    /// The messages in their order: status and reason.
    async fn states(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', status, reason) AS t FROM notifications ORDER BY id";
        self.clinic.rows(query).await.iter().map(|row| row.get("t")).collect()
    }

    async fn barred(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', address, reason, code) AS t FROM contact_suppressions ORDER BY address";
        self.clinic.rows(query).await.iter().map(|row| row.get("t")).collect()
    }

    fn posts(&self) -> Vec<Request> {
        self.server.requests().into_iter().filter(|request| request.method == "POST").collect()
    }

    /// So many messages that were accepted so many minutes ago.
    async fn accepted(&self, messages: i64, minutes: i64) {
        self.staged(messages).await;
        self.server.replies((1..=messages).map(taken));
        self.run(&[]).await.expect(0);
        self.age(minutes).await;
    }

    async fn age(&self, minutes: i64) {
        let ago = format!("interval '{minutes} minutes'");
        self.clinic
            .sql(&format!(
                "UPDATE notifications SET sent_at = sent_at - {ago}, sending_at = sending_at - {ago},
                                          provider_asked_at = provider_asked_at - {ago}"
            ))
            .await;
    }
}

fn sid(n: i64) -> String {
    format!("SM{n:032x}")
}

fn taken(n: i64) -> Reply {
    Reply::Status(201, json!({ "sid": sid(n), "status": "queued", "to": "+1", "error_code": null }).to_string())
}

fn refused(status: u16, code: u32) -> Reply {
    Reply::Status(status, json!({ "code": code, "message": "CANARYSAYS +12125550101", "status": status }).to_string())
}

fn progress(status: &str, code: Option<u32>, to: &str) -> Reply {
    Reply::Status(200, json!({ "sid": sid(1), "status": status, "error_code": code, "to": to }).to_string())
}

/// A page of the account's list: the messages of that text to that number, by their ids.
fn list(n: i64, ids: &[i64]) -> Reply {
    list_of(&format!("CANARYBODY - {n}"), n, ids)
}

/// The provider's list of messages with this text.
fn list_of(body: &str, n: i64, ids: &[i64]) -> Reply {
    let created = now().to_rfc2822();
    let one = |id: &i64| {
        json!({ "sid": sid(*id), "status": "sent", "to": format!("+12125550{}", 100 + n), "direction": "outbound-api",
                "body": body, "date_created": created })
    };
    let messages: Vec<Value> = ids.iter().map(one).collect();
    Reply::Status(200, json!({ "messages": messages, "next_page_uri": null }).to_string())
}

#[tokio::test]
async fn a_request_has_what_twilio_needs_and_no_more() {
    let fixture = Fixture::new().await;
    fixture.staged(2).await;
    fixture
        .clinic
        .sql("UPDATE notifications SET expires_at = clock_timestamp() + interval '1 hour' WHERE id = 1")
        .await;
    let report = fixture.run(&[]).await.expect(0).report();
    assert_eq!((&report["scanned"], &report["sent"]), (&json!(2), &json!(2)), "{report}");
    let posts = fixture.posts();
    assert_eq!(posts[0].path, format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"));
    assert_eq!(posts[0].headers["authorization"], AUTHORIZATION);
    assert_eq!(posts[0].headers["content-type"], "application/x-www-form-urlencoded");
    let fields: Vec<&str> = posts[0].body.split('&').collect();
    assert_eq!(fields[..3], ["To=%2B12125550101", "Body=CANARYBODY+-+1", "From=%2B12125550100"]);
    let valid: u64 = fields[3].strip_prefix("ValidityPeriod=").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((3_400..=3_600).contains(&valid) && fields.len() == 4, "{fields:?}");
    assert_eq!(posts[1].body.split('&').count(), 3, "no end, no ValidityPeriod");
    let row = fixture.clinic.json("SELECT provider_id, provider_status FROM notifications WHERE id = 1").await;
    assert_eq!(row, json!({ "provider_id": sid(99), "provider_status": "queued" }));

    let other = Fixture::new().await;
    other.staged(1).await;
    let program = other.program.clone().without("ROUNDS_SMS_FROM").env("ROUNDS_SMS_SERVICE", SERVICE);
    let program = program.env("ROUNDS_SMS_STATUS_CALLBACK", "https://clinic.example/status");
    program.run(&SMS).await.expect(0);
    let body = &other.posts()[0].body;
    let end = format!("&MessagingServiceSid={SERVICE}&StatusCallback=https%3A%2F%2Fclinic.example%2Fstatus");
    assert!(body.ends_with(&end), "{body}");
}

#[tokio::test]
async fn each_answer_has_its_class() {
    let fixture = Fixture::new().await;
    let date = (now() + chrono::TimeDelta::seconds(1_800)).format("%a, %d %b %Y %H:%M:%S GMT");
    let cases = [
        (refused(400, 21211), "FAILED TWILIO_21211"),
        (refused(400, 21612), "FAILED TWILIO_21612"),
        (refused(400, 21614), "FAILED TWILIO_21614"),
        (refused(400, 21635), "FAILED TWILIO_21635"),
        (refused(400, 21610), "SUPPRESSED TWILIO_21610"),
        (refused(400, 21617), "FAILED TWILIO_21617"),
        (refused(429, 20429), "PENDING TWILIO_20429"),
        (Reply::With(429, "retry-after: 900".into()), "PENDING HTTP_429"),
        (Reply::With(503, format!("retry-after: {date}")), "PENDING HTTP_503"),
        (Reply::Status(400, "<html>".into()), "PENDING HTTP_400"),
        (refused(500, 20500), "UNCERTAIN TWILIO_20500"),
        (Reply::Status(502, String::new()), "UNCERTAIN HTTP_502"),
        (Reply::Status(200, "garbage".into()), "UNCERTAIN TWILIO_UNREADABLE"),
        (Reply::Status(201, "{\"sid\": \"x\"}".into()), "UNCERTAIN TWILIO_UNREADABLE"),
        (Reply::Huge, "UNCERTAIN TWILIO_UNREADABLE"),
        (Reply::Cut, "UNCERTAIN TWILIO_UNREADABLE"),
        (Reply::Drop, "UNCERTAIN TWILIO_NO_ANSWER"),
        (Reply::Reset, "UNCERTAIN TWILIO_NO_ANSWER"),
        (Reply::HalfClose, "UNCERTAIN TWILIO_NO_ANSWER"),
        (Reply::After(Duration::from_secs(1), 201, json!({ "sid": sid(7) }).to_string()), "SENT"),
        (
            Reply::After(Duration::from_secs(17), 201, json!({ "sid": sid(8) }).to_string()),
            "UNCERTAIN TWILIO_NO_ANSWER",
        ),
    ];
    let (replies, expected): (Vec<Reply>, Vec<&str>) = cases.into_iter().unzip();
    fixture.staged(replies.len() as i64).await;
    fixture.server.replies(replies);
    let report = fixture.run(&[]).await.expect(3).report();
    assert_eq!(fixture.states().await, expected);
    assert_eq!((&report["scanned"], &report["sent"], &report["failed"]), (&json!(21), &json!(1), &json!(15)));
    let dead = |n: i64, code: i64| format!("+1212555010{n} UNREACHABLE TWILIO_{code}");
    let opted_out = "+12125550105 OPTED_OUT TWILIO_21610".to_owned();
    assert_eq!(fixture.barred().await, [dead(1, 21211), dead(2, 21612), dead(3, 21614), dead(4, 21635), opted_out]);
    let waits = "SELECT array_agg(extract(epoch FROM next_attempt_at - sending_at)::int ORDER BY id) AS waits
                 FROM notifications WHERE reason IN ('HTTP_429', 'HTTP_503')";
    let waits: Vec<i32> = fixture.clinic.row(waits, &[]).await.get("waits");
    assert!((900..910).contains(&waits[0]) && (1_780..1_810).contains(&waits[1]), "{waits:?}");
    // What is barred is honoured, and what is uncertain is not sent again.
    let sent = fixture.posts().len();
    fixture.clinic.sql("UPDATE notifications SET status = 'PENDING', next_attempt_at = NULL WHERE id <= 5").await;
    fixture.run(&[]).await.expect(0);
    let after = fixture.states().await;
    assert_eq!(after[..4], ["SUPPRESSED UNREACHABLE"; 4]);
    assert_eq!(after[4], "SUPPRESSED OPTED_OUT");
    assert_eq!(after[10..], expected[10..]);
    assert_eq!(fixture.posts().len(), sent);
}

#[tokio::test]
async fn what_is_wrong_with_us_stops_the_channel_and_uses_up_no_message() {
    let fixture = Fixture::new().await;
    fixture.staged(3).await;
    let setup = [(401, 20003), (403, 21408), (400, 21606), (400, 21608), (400, 30034)];
    let replies = setup.map(|(status, code)| refused(status, code)).into_iter();
    let bare = [301, 401, 403, 404].map(|status| Reply::Status(status, String::new()));
    for reply in replies.chain(bare) {
        let said = format!("{reply:?}");
        fixture.server.replies([reply]);
        let outcome = fixture.run(&[]).await.expect(1);
        assert_eq!(outcome.report()["error_code"], "CHANNEL_STOPPED", "{said}");
        assert!(!outcome.stderr.contains("CANARY"), "{outcome:?}");
        fixture.clinic.sql("UPDATE notifications SET next_attempt_at = NULL").await;
    }
    assert_eq!(fixture.posts().len(), 9, "one a run");
    for url in ["http://127.0.0.1:9".to_owned(), fixture.server.url().replace("http://", "https://")] {
        let program = fixture.program.clone().env("ROUNDS_TWILIO_URL", &url);
        let report = program.run(&SMS).await.expect(1).report();
        assert_eq!(report["error_code"], "PROVIDER_UNREACHABLE", "{url}: {report}");
        fixture.clinic.sql("UPDATE notifications SET next_attempt_at = NULL").await;
    }
    let untouched = "SELECT count(*) FROM notifications WHERE status = 'PENDING' AND attempts = 0";
    assert_eq!((fixture.clinic.count(untouched).await, fixture.posts().len()), (3, 9));
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_is_sent_and_no_secret_is_an_argument() {
    let fixture = Fixture::new().await;
    fixture.staged(1).await;
    let with = |key: &str, value: &str| fixture.program.clone().env(key, value);
    let without = |key: &str| fixture.program.clone().without(key);
    for (program, named) in [
        (without("ROUNDS_TWILIO_ACCOUNT"), "--twilio-account"),
        (without("ROUNDS_TWILIO_TOKEN"), "--twilio-token-file"),
        (without("ROUNDS_SMS_FROM"), "--sms-service"),
        (with("ROUNDS_SMS_SERVICE", SERVICE), "--sms-from and --sms-service"),
        (with("ROUNDS_TWILIO_ACCOUNT", "../x"), "--twilio-account"),
        (with("ROUNDS_TWILIO_KEY", "x"), "--twilio-key"),
        (with("ROUNDS_TWILIO_TOKEN", "a b"), "token"),
        (with("ROUNDS_TWILIO_TOKEN_FILE", "/nowhere"), "both set"),
        (with("ROUNDS_TWILIO_URL", "http://api.twilio.example"), "https://"),
    ] {
        let outcome = program.run(&SMS).await.expect(2);
        assert!(outcome.stderr.contains(named) && !outcome.stderr.contains("CANARY"), "{named}: {outcome:?}");
    }
    let outcome = fixture.run(&["--twilio-token", "CANARYARGUMENT"]).await.expect(2);
    assert!(outcome.stderr.contains("ROUNDS_TWILIO_TOKEN") && !outcome.stderr.contains("CANARY"), "{outcome:?}");
    assert_eq!((fixture.server.requests().len(), fixture.states().await), (0, vec!["PENDING".to_owned()]));
    let place = tempfile::tempdir().expect("a place for files");
    let file = place.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("can be written");
    without("ROUNDS_TWILIO_TOKEN")
        .run(&[&SMS[..], &["--twilio-token-file", file.to_str().expect("a path")]].concat())
        .await
        .expect(0);
    assert_eq!(fixture.posts()[0].headers["authorization"], AUTHORIZATION, "the end of the line is no part of it");
}

#[tokio::test]
async fn no_output_and_no_record_has_a_number_a_name_a_text_or_the_token() {
    let fixture = Fixture::new().await;
    fixture.staged(6).await;
    let number = "UPDATE patients SET phone = '212-CANARY' WHERE mrn = 'M6'";
    fixture.clinic.sql(number).await;
    let replies =
        [refused(400, 21614), refused(400, 21610), Reply::Drop, Reply::Status(500, "CANARY".into()), taken(5)];
    fixture.server.replies(replies);
    let program = fixture.program.clone().env("RUST_LOG", "trace");
    let mut outcomes = vec![program.run(&[&SMS[..], &["--log-level", "debug"]].concat()).await.expect(3)];
    assert_eq!(fixture.states().await[5], "FAILED INVALID_ADDRESS");
    fixture.age(11).await;
    fixture.server.always(progress("failed", Some(30003), "+12125550105"));
    outcomes.push(program.run(&[&SMS[..], &["--log-level", "debug"]].concat()).await.expect(3));
    fixture.server.always(refused(401, 20003));
    fixture.clinic.sql("UPDATE notifications SET status = 'PENDING', sent_at = NULL WHERE id = 4").await;
    outcomes.push(program.run(&[&SMS[..], &["--log-level", "debug"]].concat()).await.expect(1));
    let kept =
        "SELECT jsonb_agg(to_jsonb(r)) AS runs, (SELECT jsonb_agg(to_jsonb(e)) FROM cron_job_run_errors e) AS errors
                FROM cron_job_runs r";
    let kept = fixture.clinic.json(kept).await;
    let everything = format!("{outcomes:?}{kept}");
    for canary in ["CANARY", "5550", "555-0", "QUMwMTIz"] {
        let at = everything.find(canary);
        assert_eq!(
            at,
            None,
            "{canary}: {:?}",
            at.map(|at| everything[at.saturating_sub(200)..].chars().take(400).collect::<String>())
        );
    }
}

#[tokio::test]
async fn what_an_accepted_message_came_to_is_asked_for_and_it_is_never_sent_again() {
    let fixture = Fixture::new().await;
    fixture.accepted(8, 9).await;
    fixture.run(&[]).await.expect(0);
    assert_eq!(fixture.server.requests().len(), 8, "nothing is asked before 10 minutes");
    fixture.age(2).await;
    let later = |n: i64, code: u32| progress("undelivered", Some(code), &format!("+1212555010{n}"));
    fixture.server.replies([
        progress("delivered", None, "+1"),
        progress("sent", None, "+1"),
        later(3, 30003),
        later(4, 30007),
        later(5, 30005),
        later(6, 30034),
        later(7, 21610),
        Reply::Status(500, String::new()),
    ]);
    let report = fixture.run(&[]).await.expect(3).report();
    let counts = ["scanned", "asked", "delivered", "failed"].map(|key| report[key].as_u64().unwrap_or(0));
    assert_eq!(counts, [5, 8, 1, 5], "{report}");
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json", sid(1));
    assert_eq!(fixture.server.requests()[8].path, path);
    let failed = ["FAILED TWILIO_30003", "FAILED TWILIO_30007", "FAILED TWILIO_30005", "FAILED TWILIO_30034"];
    let states = [&["SENT", "SENT"], &failed[..], &["FAILED TWILIO_21610", "SENT"]].concat();
    assert_eq!(fixture.states().await, states);
    let barred = ["+12125550103 UNREACHABLE TWILIO_30003", "+12125550105 UNREACHABLE TWILIO_30005"];
    assert_eq!(fixture.barred().await, [&barred[..], &["+12125550107 OPTED_OUT TWILIO_21610"]].concat());
    let rows = "SELECT jsonb_agg(jsonb_build_array(provider_status, delivered_at IS NOT NULL, sent_at IS NOT NULL)
                                 ORDER BY id) AS rows FROM notifications WHERE id <= 3";
    assert_eq!(
        fixture.clinic.json(rows).await["rows"],
        json!([["delivered", true, true], ["sent", false, true], ["undelivered", false, true]])
    );
    let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE error_code LIKE 'TWILIO_%'";
    assert_eq!(fixture.clinic.count(recorded).await, 5);
    // The two others are asked about again when an hour is over, and not after a day.
    fixture.age(30).await;
    assert_eq!(fixture.run(&[]).await.expect(0).report().get("asked"), None);
    fixture.age(31).await;
    fixture.server.always(progress("sent", None, "+1"));
    assert_eq!(fixture.run(&[]).await.expect(0).count("asked"), 2);
    assert_eq!(fixture.run(&[]).await.expect(0).report().get("asked"), None);
    fixture.age(22 * 60).await;
    assert_eq!(fixture.run(&[]).await.expect(0).count("asked"), 2);
    assert_eq!(fixture.states().await[1], "SENT UNCONFIRMED");
    fixture.age(61).await;
    assert_eq!(fixture.run(&[]).await.expect(0).report().get("asked"), None);
    assert_eq!(fixture.posts().len(), 8);
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_not_asked_on_and_on() {
    let fixture = Fixture::new().await;
    fixture.accepted(20, 11).await;
    fixture.server.always(Reply::Status(500, String::new()));
    let report = fixture.run(&[]).await.expect(0).report();
    assert_eq!(report["asked"], 5, "{report}");
    assert_eq!(fixture.states().await, ["SENT"; 20]);
}

#[tokio::test]
async fn what_a_killed_run_was_sending_is_found_where_exactly_one_fits() {
    let fixture = Fixture::new().await;
    fixture.staged(5).await;
    fixture.server.always(Reply::Hold(201, String::new()));
    let mut killed = fixture.program.start(&[&SMS[..], &["--concurrency", "4"]].concat());
    fixture.server.came(4).await;
    killed.kill().await.expect("it lives");
    fixture.clinic.expire_leases().await;
    fixture.server.always(Reply::Status(200, String::new()));
    // One, none, two; and one that is another message's.
    fixture.server.replies([list(1, &[1]), list(2, &[]), list(3, &[3, 4]), list(4, &[1]), taken(5)]);
    let report = fixture.run(&[]).await.expect(3).report();
    assert_eq!((&report["settled"], &report["sent"]), (&json!(4), &json!(1)), "{report}");
    let uncertain = "UNCERTAIN RUN_ENDED";
    let states = fixture.states().await;
    assert_eq!(states[1..], [uncertain, uncertain, uncertain, "SENT"]);
    assert_eq!(states[0], uncertain, "the provider has one message, and two of ours fit it");
    let search = &fixture.server.requests()[4];
    assert!(search.path.contains("/Messages.json?To=%2B12125550101&DateSent%3E=20"), "{}", search.path);
    assert!(search.path.ends_with("&PageSize=100&From=%2B12125550100"), "{}", search.path);
    // A list may be behind: the next runs look again, and send none of them.
    fixture.server.replies([list(1, &[1]), list(2, &[2]), list(3, &[3, 4]), list(4, &[5])]);
    let report = fixture.run(&[]).await.expect(0).report();
    assert_eq!(report["found"], 2, "{report}");
    assert_eq!(fixture.states().await, ["SENT", "SENT", uncertain, uncertain, "SENT"], "5 is the last one's");
    let known = fixture
        .clinic
        .json("SELECT provider_id, provider_status, sent_at = sending_at AS then FROM notifications WHERE id = 2");
    assert_eq!(known.await, json!({ "provider_id": sid(2), "provider_status": "sent", "then": true }));
    assert_eq!(fixture.posts().len(), 5, "each was posted once");
}

#[tokio::test]
async fn an_uncertain_message_is_searched_for_by_the_text_that_was_sent() {
    let fixture = Fixture::new().await;
    let place = tempfile::tempdir().expect("a place for files");
    std::fs::write(place.path().join("missed_appointment.sms.txt"), "Clinic: {start}").expect("can be written");
    let program = fixture.program.clone().env("ROUNDS_TEMPLATES", place.path().to_str().expect("a path"));
    fixture.staged(1).await;
    let (facility, doctor) = fixture.clinic.new_york(30).await;
    let visit = fixture.clinic.scheduled(facility, doctor, "2026-03-02", "10:00").await;
    fixture
        .clinic
        .sql(&format!(
            "UPDATE appointments SET status = 'NO_SHOW';
             UPDATE notifications SET type = 'MISSED_APPOINTMENT', entity = 'appointment', entity_id = '{visit}',
                                      placeholders = '{{\"start\": \"10:00\"}}'"
        ))
        .await;
    fixture.server.replies([Reply::Drop]);
    program.run(&SMS).await.expect(3);
    assert_eq!(fixture.states().await, ["UNCERTAIN TWILIO_NO_ANSWER"]);
    fixture.server.replies([list_of("Clinic: 10:00", 1, &[1])]);
    assert_eq!(program.run(&SMS).await.expect(0).report()["found"], 1);
    assert_eq!(fixture.states().await, ["SENT"]);
}

#[tokio::test]
async fn normal_messages_wait_for_the_end_of_the_night_at_the_facility() {
    let fixture = Fixture::new().await;
    fixture.staged(3).await;
    // There it is another time of day than at the zone of a message without a facility.
    let facility = fixture.clinic.facility("Asia/Tokyo", None).await;
    let of_facility = format!(
        "UPDATE notifications SET facility_id = k({facility})::text WHERE id IN (1, 2);
                               UPDATE notifications SET priority = 'HIGH' WHERE id = 2"
    );
    fixture.clinic.sql(&of_facility).await;
    let local = (now() + chrono::TimeDelta::hours(9)).naive_utc();
    let at = |hours: i64| (local + chrono::TimeDelta::hours(hours)).format("%H:%M").to_string();
    let hours = format!("{}-{}", at(-1), at(2));
    let report = fixture.run(&["--quiet-hours", &hours]).await.expect(0).report();
    assert_eq!(report["skipped_by_reason"]["quiet_hours"], 1, "{report}");
    assert_eq!(fixture.states().await, ["PENDING QUIET_HOURS", "SENT", "SENT"]);
    let wait = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::int8 FROM notifications WHERE id = 1";
    assert!((6_900..=7_200).contains(&fixture.clinic.count(wait).await), "until the hours end");
    let expiring = "UPDATE notifications SET next_attempt_at = NULL, expires_at = clock_timestamp() + interval '1 hour'
                    WHERE id = 1";
    fixture.clinic.sql(expiring).await;
    fixture.run(&["--quiet-hours", &hours]).await.expect(0);
    assert_eq!(fixture.states().await[0], "EXPIRED OVER_IN_QUIET_HOURS");
}

#[tokio::test]
async fn nobody_is_written_to_who_may_not_be() {
    let fixture = Fixture::new().await;
    fixture.staged(8).await;
    fixture
        .clinic
        .sql(
            "UPDATE patients SET sms_opt_out = true WHERE mrn = 'M1';
             UPDATE patients SET phone = '555-CANARY' WHERE mrn = 'M2';
             UPDATE patients SET phone = NULL WHERE mrn = 'M3';
             UPDATE notifications n SET recipient_id = (SELECT id::text FROM patients WHERE mrn = 'M4') WHERE n.id >= 4;
             UPDATE notifications SET priority = 'HIGH' WHERE id = 8",
        )
        .await;
    let allowed = fixture.program.clone().env("ROUNDS_DELIVER_ONLY_TO", "+12125550104");
    let report = allowed.run(&[&SMS[..], &["--patient-cap", "2"]].concat()).await.expect(3).report();
    let cap = "SUPPRESSED PATIENT_CAP";
    let contacts = ["SUPPRESSED OPTED_OUT", "FAILED INVALID_ADDRESS", "FAILED NO_ADDRESS"];
    assert_eq!(fixture.states().await, [&contacts[..], &["SENT", "SENT", cap, cap, "SENT"]].concat());
    assert_eq!((&report["sent"], &report["failed"]), (&json!(3), &json!(2)), "{report}");
    let recorded = "SELECT count(*) FROM cron_job_run_errors WHERE entity_id = '2' AND error_code = 'INVALID_ADDRESS'";
    assert_eq!(fixture.clinic.count(recorded).await, 1);
    // The cap counts what earlier runs have sent.
    fixture.clinic.sql("UPDATE notifications SET status = 'PENDING' WHERE id = 6").await;
    allowed.run(&[&SMS[..], &["--patient-cap", "2"]].concat()).await.expect(0);
    assert_eq!(fixture.states().await[5], cap);
    let other = fixture.program.clone().env("ROUNDS_DELIVER_ONLY_TO", "+12125550199");
    fixture.clinic.sql("UPDATE notifications SET status = 'PENDING' WHERE id = 6").await;
    other.run(&SMS).await.expect(0);
    assert_eq!(fixture.states().await[5], "SUPPRESSED NOT_ON_ALLOW_LIST");
    assert_eq!(fixture.posts().len(), 3);
}

/// A page is read while messages of the one before are under way, some of them to the same patients.
#[tokio::test]
async fn the_cap_counts_each_message_once_over_pages() {
    let fixture = Fixture::new().await;
    fixture.staged(160).await;
    // 20 patients with 8 messages each, in turn.
    let shared =
        "UPDATE notifications n SET recipient_id = p.id::text FROM patients p WHERE p.mrn = 'M' || 1 + n.id % 20";
    fixture.clinic.sql(shared).await;
    fixture.server.always(Reply::After(Duration::from_millis(3), 201, json!({"sid": sid(1)}).to_string()));
    let report = fixture.run(&["--patient-cap", "5", "--concurrency", "8"]).await.expect(0).report();
    let of_each = "SELECT count(*) FROM (SELECT FROM notifications GROUP BY recipient_id
                       HAVING count(*) FILTER (WHERE status = 'SENT') = 5
                          AND count(*) FILTER (WHERE status = 'SUPPRESSED' AND reason = 'PATIENT_CAP') = 3) x";
    assert_eq!(fixture.clinic.count(of_each).await, 20, "{report}");
    assert_eq!((&report["scanned"], fixture.posts().len()), (&json!(160), 100), "{report}");
}

#[tokio::test]
async fn a_long_text_is_cut_at_a_word() {
    let fixture = Fixture::new().await;
    fixture.staged(1).await;
    fixture.clinic.sql("UPDATE notifications SET body = repeat('don’t wait ', 100)").await;
    fixture.run(&[]).await.expect(0);
    let body = &fixture.posts()[0].body;
    let text = body.split('&').nth(1).expect("a text");
    assert!(text.starts_with("Body=don%27t+wait+") && text.ends_with("..."), "{text}");
    assert!(text.replace("%27", "'").len() - "Body=".len() <= 459, "{text}");
}
