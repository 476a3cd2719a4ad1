//! E-mail: what each reply at each stage of SMTP does to a message.

use std::time::Duration;

use serde_json::json;

use super::{Fixture, WEBHOOKS};
use crate::support::program::Outcome;
use crate::support::smtp::{Act, Security, SmtpServer, Stage, Taken};
use crate::support::{Clinic, Program};

const MAIL: [&str; 5] = ["deliver-notifications", "--channel", "email", "--log-level", "debug"];

/// A clinic with an SMTP server.
struct Post {
    clinic: Clinic,
    server: SmtpServer,
    program: Program,
}

impl Post {
    async fn new(security: Security) -> Self {
        let (clinic, server) = (Clinic::new().await, SmtpServer::start(security).await);
        let program = clinic
            .program
            .clone()
            .env("ROUNDS_SMTP_URL", &server.url())
            .env("ROUNDS_SMTP_ROOT_CERT", server.authority.to_str().expect("a path"))
            .env("ROUNDS_SMTP_USER", "clinic")
            .env("ROUNDS_SMTP_PASSWORD", "CANARY-password")
            .env("ROUNDS_EMAIL_FROM", "The Clinic <noreply@clinic.example>")
            .env("ROUNDS_LIST_UNSUBSCRIBE", "mailto:stop@clinic.example")
            .env("ROUNDS_PER_SECOND", "1000");
        Self { clinic, server, program }
    }

    /// A message to this address.
    async fn staged(&self, address: &str) {
        self.insert("'ADDRESS', NULL, $1", &[&address]).await;
    }

    async fn insert(&self, recipient: &str, params: &[&(dyn tokio_postgres::types::ToSql + Sync)]) {
        let insert = format!(
            "INSERT INTO notifications (recipient_kind, recipient_id, address, channel, type, title, body, entity,
                                        entity_id, dedupe_key, status, created_at)
             SELECT {recipient}, 'EMAIL', 'RULE_EMAIL', E'CANARY-title\\r\\nBcc: all@clinic.example',
                    E'CANARY-body\\n.\\nend', 'rule', '1', gen_random_uuid(), 'PENDING', clock_timestamp()
             RETURNING id"
        );
        self.clinic.row(&insert, params).await;
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        let outcome = self.program.run(&[&MAIL, args].concat()).await;
        let canary = |text: &str| text.to_ascii_uppercase().contains("CANARY");
        assert!(!canary(&outcome.stdout) && !canary(&outcome.stderr), "{outcome:?}");
        outcome
    }

    async fn states(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', count(*), status, reason) AS t FROM notifications
                     GROUP BY status, reason ORDER BY status, reason";
        self.clinic.rows(query).await.iter().map(|row| row.get("t")).collect()
    }

    async fn again(&self) {
        self.clinic.sql("UPDATE notifications SET next_attempt_at = NULL WHERE status = 'PENDING'").await;
    }
}

fn has(mail: &Taken, line: &str) -> bool {
    mail.text.lines().any(|at| at == line)
}

#[tokio::test]
async fn a_mail_leaves_in_one_piece_encrypted_and_with_the_id_of_its_row() {
    for security in [Security::Tls, Security::StartTls, Security::Clear] {
        let post = Post::new(security).await;
        post.staged("canary-desk@home.example").await;
        let patient = post.clinic.patient().await;
        post.clinic.sql("UPDATE patients SET email = 'canary-jane@home.example'").await;
        post.insert("'PATIENT', k($1)::text, NULL", &[&patient]).await;
        let report = post.run(&["--concurrency", "1"]).await.expect(0).report();
        assert_eq!(report["sent"], json!(2), "{report}");
        assert_eq!(post.states().await, ["2 SENT"]);
        let (mails, connections) = (post.server.taken(), post.server.connections());
        assert_eq!((mails.len(), connections), (2, 1), "one connection is enough");
        let id = "SELECT format('Message-ID: <rounds.%s.%s@clinic.example>', id,
                                (extract(epoch FROM created_at) * 1000000)::bigint) AS t
                  FROM notifications ORDER BY id";
        for (mail, row) in mails.iter().zip(post.clinic.rows(id).await) {
            assert!(has(mail, row.get("t")), "{mail:?}");
            assert_eq!((mail.is_encrypted, mail.to.len()), (security != Security::Clear, 1));
            assert_eq!(mail.from, "MAIL FROM:<noreply@clinic.example>");
            assert!(mail.login.as_ref().is_some_and(|login| login.starts_with("AUTH PLAIN ")), "{mail:?}");
            // Whatever is in a title or in a body, it is one header, and one body.
            let (head, body) = mail.text.split_once("\r\n\r\n").expect("a body");
            assert!(head.contains("CANARY-title  Bcc: all") && !head.contains("\nBcc"), "{head}");
            assert_eq!(body.trim_end(), "CANARY-body\r\n.\r\nend");
        }
        let unsubscribe = |mail| has(mail, "List-Unsubscribe: <mailto:stop@clinic.example>");
        assert_eq!(mails.iter().map(unsubscribe).collect::<Vec<_>>(), [false, true], "patients alone");
        let words = "SELECT count(*) FROM notifications WHERE provider_status = 'queued as 4Q' AND provider_id IS NULL";
        assert_eq!(post.clinic.count(words).await, 2);
    }
}

#[tokio::test]
async fn each_reply_at_each_stage_has_its_end() {
    let post = Post::new(Security::StartTls).await;
    let say = Act::Say;
    // (stage, what the server does, what becomes of the message, the attempts that count, whether the address is flagged)
    let cases = [
        (Stage::Greeting, say("421 busy"), "PENDING SMTP_HELLO_421", 0, false),
        (Stage::Greeting, Act::Close, "PENDING SMTP_HELLO_LOST", 0, false),
        (Stage::Greeting, Act::Flood(200_000), "PENDING SMTP_HELLO_LOST", 0, false),
        (Stage::Hello, say("500 what"), "PENDING SMTP_HELLO_500", 0, false),
        // What comes in clear behind the answer is not taken for an answer that is encrypted.
        (
            Stage::StartTls,
            say("220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok"),
            "PENDING SMTP_HELLO_LOST",
            0,
            false,
        ),
        (Stage::StartTls, say("454 no"), "PENDING SMTP_HELLO_454", 0, false),
        (Stage::Login, say("454 4.7.0 later"), "PENDING SMTP_LOGIN_454_4.7.0", 0, false),
        (Stage::Login, say("535 5.7.8 no"), "PENDING SMTP_LOGIN_535_5.7.8", 0, false),
        (Stage::Login, say("534 no"), "PENDING SMTP_LOGIN_534", 0, false),
        (Stage::From, say("550 not you"), "PENDING SMTP_FROM_550", 0, false),
        (Stage::From, say("553 not you"), "PENDING SMTP_FROM_553", 0, false),
        (Stage::From, say("530 log in"), "PENDING SMTP_FROM_530", 0, false),
        (Stage::From, say("451 4.3.0 full"), "PENDING SMTP_FROM_451_4.3.0", 1, false),
        (Stage::To, say("550 5.1.1 <CANARY@x> unknown"), "FAILED SMTP_TO_550_5.1.1", 1, true),
        (Stage::To, say("550-5.1.10 CANARY\r\n550 5.1.10 none"), "FAILED SMTP_TO_550_5.1.10", 1, true),
        (Stage::To, say("550 CANARY is blocked"), "FAILED SMTP_TO_550", 1, false),
        (Stage::To, say("554 5.7.1 no"), "FAILED SMTP_TO_554_5.7.1", 1, false),
        (Stage::To, say("450 4.2.0 greylisted"), "PENDING SMTP_TO_450_4.2.0", 1, false),
        (Stage::To, Act::Close, "PENDING SMTP_TO_LOST", 1, false),
        (Stage::To, Act::Flood(5_000), "PENDING SMTP_TO_LOST", 1, false),
        (Stage::Data, say("451 later"), "PENDING SMTP_TEXT_451", 1, false),
        (Stage::Data, say("554 no"), "FAILED SMTP_TEXT_554", 1, false),
        (Stage::Data, say("250 what"), "PENDING SMTP_TEXT_250", 1, false),
        (Stage::End, say("250 2.0.0 CANARY"), "SENT", 1, false),
        (Stage::End, say("451 4.3.0 later"), "PENDING SMTP_END_451_4.3.0", 1, false),
        (Stage::End, say("554 5.6.0 CANARY"), "FAILED SMTP_END_554_5.6.0", 1, false),
        (Stage::End, Act::Close, "UNCERTAIN SMTP_END_LOST", 1, false),
        (Stage::End, Act::Flood(5_000), "UNCERTAIN SMTP_END_LOST", 1, false),
        (Stage::End, say("garbage"), "UNCERTAIN SMTP_END_LOST", 1, false),
        (Stage::End, say("354 what"), "UNCERTAIN SMTP_END_354", 1, false),
    ];
    for (at, (stage, act, end, attempts, flagged)) in cases.into_iter().enumerate() {
        let address = format!("canary{at}@home.example");
        post.staged(&address).await;
        post.server.next(stage, [act.clone()]);
        let outcome = post.run(&[]).await;
        let row =
            "SELECT concat_ws(' ', status, reason) AS state, attempts, status = 'PENDING' AND next_attempt_at IS NULL
                          AS at_once, EXISTS (SELECT FROM contact_suppressions s WHERE s.address = n.address) AS flagged
                   FROM notifications n";
        let row = post.clinic.row(row, &[]).await;
        let state = (row.get::<_, &str>("state"), row.get::<_, i32>("attempts"), row.get::<_, bool>("flagged"));
        assert_eq!(state, (end, attempts, flagged), "{stage:?} {act:?}: {outcome:?}");
        assert!(!row.get::<_, bool>("at_once"));
        let told = "SELECT count(*) + (SELECT count(*) FROM notifications WHERE provider_status ILIKE '%canary%')
                    FROM cron_job_runs r LEFT JOIN cron_job_run_errors e ON e.run_id = r.id
                    WHERE r::text ILIKE '%canary%' OR e::text ILIKE '%canary%'";
        assert_eq!(post.clinic.count(told).await, 0);
        post.clinic.sql("DELETE FROM notifications").await;
    }
}

#[tokio::test]
async fn a_refused_login_stops_the_channel_and_one_refused_address_does_not() {
    let post = Post::new(Security::StartTls).await;
    for at in 0..6 {
        post.staged(&format!("canary{at}@home.example")).await;
    }
    post.server.always(Stage::Login, Act::Say("535 5.7.8 CANARY"));
    let report = post.run(&["--concurrency", "1"]).await.expect(1).report();
    assert_eq!((&report["error_code"], post.server.connections()), (&json!("CHANNEL_STOPPED"), 1), "{report}");
    post.again().await;
    post.server.always(Stage::Login, Act::Say("235 2.7.0 welcome"));
    post.server.next(Stage::To, [Act::Say("250 ok"), Act::Say("550 5.1.1 none"), Act::Say("450 4.2.0 later")]);
    let report = post.run(&["--concurrency", "1"]).await.expect(3).report();
    assert_eq!((&report["sent"], &report["failed"]), (&json!(4), &json!(1)), "{report}");
    assert_eq!(post.states().await, ["1 FAILED SMTP_TO_550_5.1.1", "1 PENDING SMTP_TO_450_4.2.0", "4 SENT"]);
    assert_eq!(post.server.connections(), 2, "a refused address costs no connection");
}

#[tokio::test]
async fn only_what_a_killed_run_had_ended_is_uncertain() {
    let post = Post::new(Security::StartTls).await;
    for at in 0..6 {
        post.staged(&format!("canary{at}@home.example")).await;
    }
    post.server.always(Stage::End, Act::Hold);
    let mut killed = post.program.start(&[&MAIL[..], &["--concurrency", "2"]].concat());
    post.server.took(2).await;
    killed.kill().await.expect("it lives");
    post.clinic.expire_leases().await;
    post.server.always(Stage::End, Act::Say("250 2.0.0 ok"));
    let report = post.run(&[]).await.expect(3).report();
    assert_eq!((&report["sent"], &report["failed"]), (&json!(4), &json!(2)), "{report}");
    assert_eq!(post.states().await, ["4 SENT", "2 UNCERTAIN RUN_ENDED"]);
    assert_eq!(post.run(&[]).await.expect(0).count("scanned"), 0, "they wait for a person");
    assert_eq!(post.server.taken().len(), 6);
}

#[tokio::test]
async fn a_run_that_is_killed_before_the_text_leaves_has_sent_nothing() {
    let post = Post::new(Security::Tls).await;
    post.staged("canary1@home.example").await;
    post.staged("canary2@home.example").await;
    post.server.always(Stage::Data, Act::Hold);
    let mut killed = post.program.start(&MAIL);
    let held = "SELECT count(*) FROM notifications WHERE status = 'SENDING' AND is_held";
    while post.clinic.count(held).await < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    killed.kill().await.expect("it lives");
    post.clinic.expire_leases().await;
    post.server.as_usual(Stage::Data);
    let report = post.run(&[]).await.expect(0).report();
    assert_eq!((&report["settled"], &report["sent"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!(post.states().await, ["2 SENT"]);
    let again = "SELECT count(*) FROM notifications WHERE attempts = 1 AND NOT is_held";
    assert_eq!((post.clinic.count(again).await, post.server.taken().len()), (2, 2), "it was no attempt");
}

#[tokio::test]
async fn a_connection_that_died_between_two_messages_costs_neither_of_them() {
    let post = Post::new(Security::Tls).await;
    for at in 0..4 {
        post.staged(&format!("canary{at}@home.example")).await;
    }
    post.server.next(Stage::Reset, [Act::Close, Act::Say("421 4.4.2 idle")]);
    post.run(&["--concurrency", "1"]).await.expect(0);
    assert_eq!((post.states().await, post.server.connections()), (vec!["4 SENT".to_owned()], 3));
}

#[tokio::test]
async fn a_server_that_is_not_who_it_says_gets_nothing() {
    let post = Post::new(Security::StartTls).await;
    for at in 0..3 {
        post.staged(&format!("canary{at}@home.example")).await;
    }
    let unknown = post.program.clone().without("ROUNDS_SMTP_ROOT_CERT");
    let other = post.program.clone().env("ROUNDS_SMTP_URL", &format!("smtp://127.0.0.1:{}", post.server.port));
    for program in [unknown, other] {
        let report = program.run(&MAIL).await.expect(1).report();
        assert_eq!(report["error_code"], "PROVIDER_UNREACHABLE", "{report}");
        assert_eq!(post.states().await, ["3 PENDING SMTP_HELLO_UNTRUSTED"]);
        post.again().await;
    }
    post.server.always(Stage::Hello, Act::Say("250 mail.example"));
    let report = post.run(&[]).await.expect(1).report();
    assert_eq!(report["error_code"], "CHANNEL_STOPPED", "no STARTTLS, no message: {report}");
    assert_eq!(post.server.taken().len(), 0);
    post.clinic.sql("DELETE FROM notifications").await;
    let nobody = post.program.clone().env("ROUNDS_SMTP_URL", "smtps://127.0.0.1:9");
    post.staged("canary@home.example").await;
    nobody.run(&MAIL).await.expect(0);
    assert_eq!(post.states().await, ["1 PENDING SMTP_HELLO_LOST"]);
}

#[tokio::test]
async fn an_address_is_one_recipient_or_none() {
    let post = Post::new(Security::Tls).await;
    for address in [
        "a@home.example\r\nRCPT TO:<canary@home.example>",
        "\"a\r\nRSET\"@home.example",
        "a@home.example, canary@home.example",
        "\"a> SIZE=1\"@home.example",
    ] {
        post.staged(address).await;
    }
    post.run(&[]).await.expect(3);
    assert_eq!(post.server.taken().len(), 0);
    let states = post.states().await;
    assert!(states.iter().all(|state| state.contains(" FAILED ")), "{states:?}");
}

#[tokio::test]
async fn the_next_attempt_goes_to_the_address_that_the_user_has_then() {
    let post = Post::new(Security::Tls).await;
    let user = post.clinic.of_the_group().await;
    post.clinic.sql("UPDATE users SET email = 'canary-old@home.example'").await;
    post.insert("'USER', k($1)::text, NULL", &[&user]).await;
    post.server.next(Stage::End, [Act::Say("451 4.3.0 later")]);
    post.run(&[]).await.expect(0);
    post.clinic.sql("UPDATE users SET email = 'canary-new@HOME.example'").await;
    post.again().await;
    post.run(&[]).await.expect(0);
    let to: Vec<Vec<String>> = post.server.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["RCPT TO:<canary-old@home.example>"], ["RCPT TO:<canary-new@home.example>"]]);
    let ids: Vec<String> = post.server.taken().iter().map(id).collect();
    assert_eq!(ids[0], ids[1], "the same message");
}

fn id(mail: &Taken) -> String {
    mail.text.lines().find(|line| line.starts_with("Message-ID")).expect("an id").to_owned()
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_up_no_other_channel() {
    let fixture = Fixture::new().await;
    let server = SmtpServer::start(Security::Tls).await;
    server.always(Stage::Greeting, Act::Hold);
    fixture.staged(3).await;
    fixture.clinic.sql(
        "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id, dedupe_key,
                                    status, created_at)
         VALUES ('ADDRESS', 'a@home.example', 'EMAIL', 'X', 't', 'b', 'rule', '1', 'mail', 'PENDING', clock_timestamp())",
    ).await;
    let program = fixture.program.clone();
    let program = program.env("ROUNDS_SMTP_URL", &server.url()).env("ROUNDS_EMAIL_FROM", "noreply@clinic.example");
    let program = program.env("ROUNDS_SMTP_ROOT_CERT", server.authority.to_str().expect("a path"));
    let mut held = program.start(&MAIL);
    while server.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    program.run(&WEBHOOKS).await.expect(0);
    assert_eq!(fixture.states().await, ["1 SENDING", "3 SENT"]);
    held.kill().await.expect("it is still at work");
}

#[tokio::test]
async fn a_server_that_knows_the_old_way_to_log_in_or_none() {
    let post = Post::new(Security::Tls).await;
    post.staged("canary@home.example").await;
    post.server.always(Stage::Hello, Act::Say("250-mail.example\r\n250 8BITMIME"));
    let report = post.run(&[]).await.expect(1).report();
    assert_eq!(report["error_code"], "CHANNEL_STOPPED", "{report}");
    assert_eq!(post.states().await, ["1 PENDING SMTP_LOGIN_NOT_OFFERED"]);
    post.again().await;
    post.server.always(Stage::Hello, Act::Say("250-mail.example\r\n250 AUTH LOGIN"));
    post.server.next(Stage::Login, [Act::Say("334 VXNlcm5hbWU6")]);
    // The user and the password are lines of their own.
    post.server.next(Stage::Reset, [Act::Say("334 UGFzc3dvcmQ6"), Act::Say("235 2.7.0 welcome")]);
    post.run(&[]).await.expect(0);
    let login = post.server.taken().pop().and_then(|mail| mail.login);
    assert_eq!((login.as_deref(), post.states().await), (Some("AUTH LOGIN"), vec!["1 SENT".to_owned()]));
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named_before_anything_is_sent() {
    let post = Post::new(Security::Tls).await;
    post.staged("canary@home.example").await;
    let place = tempfile::tempdir().expect("a place for files");
    let empty = place.path().join("empty");
    std::fs::write(&empty, "").expect("can be written");
    let empty = empty.to_str().expect("a path");
    let program = || post.program.clone();
    for (program, sentence) in [
        (program().without("ROUNDS_SMTP_URL"), "--smtp-url"),
        (program().without("ROUNDS_EMAIL_FROM"), "--email-from"),
        (program().without("ROUNDS_SMTP_USER"), "no --smtp-user"),
        (program().without("ROUNDS_SMTP_PASSWORD"), "has no password"),
        (program().env("ROUNDS_SMTP_PASSWORD_FILE", empty), "are both set"),
        (program().env("ROUNDS_SMTP_ROOT_CERT", empty), "holds no certificate"),
        (program().env("ROUNDS_SMTP_URL", "smtp+clear://mail.example"), "to this machine alone"),
        (program().env("ROUNDS_SMTP_URL", "smtp://u:CANARY@mail.example"), "must have no user"),
        (program().env("ROUNDS_EMAIL_FROM", "clinic"), "expected an address"),
        (program().env("ROUNDS_LIST_UNSUBSCRIBE", "http://a/"), "expected a URL"),
    ] {
        let outcome = program.run(&MAIL).await.expect(2);
        assert!(outcome.stderr.contains(sentence) && !outcome.stderr.contains("CANARY"), "{sentence}: {outcome:?}");
    }
    assert_eq!(post.states().await, ["1 PENDING"]);
}
