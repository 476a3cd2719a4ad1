//! `make prove-mail`: what `rounds deliver-notifications` sends, as receivers that are not ours take it.
//!
//! - OpenSMTPD puts a mail into a Maildir, where Python's email package reads it.
//! - aiosmtpd says codes at the stages of SMTP, or nothing, over STARTTLS.
//! - standardwebhooks verifies the signatures of webhooks.
//!
//! They are installed by `scripts/mail-tools`, so this is a test target of its own. A proof that cannot be done fails.

mod receivers;

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with `it`, which uses all of it")]
mod support;

use std::fs;
use std::path::Path;

use receivers::{Mailbox, Script};
use serde_json::{Value, json};
use support::{Clinic, Program};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const BODY: &str = "Grüße,\n.\n..\nFrom the clinic: a line that is longer than a line of a mail may be without being cut \
                    or folded, which shows whether the text comes out as it went in.\n";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let place = tempfile::tempdir().expect("a place for files");
    opensmtpd(place.path()).await;
    println!("opensmtpd: mails arrive whole, in clear on this machine and through TLS");
    stages(place.path()).await;
    println!("aiosmtpd: each code has its end, and silence too");
    webhooks(place.path()).await;
    println!("standardwebhooks: signatures are good, and none can be forged");
    println!("3 passed, 0 failed");
}

/// Stages a message, and returns its id.
async fn staged(clinic: &Clinic, channel: &str, address: &str, title: &str, body: &str) -> i64 {
    let insert = "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity,
                                             entity_id, dedupe_key, status, created_at)
                  VALUES ('ADDRESS', $1, $2, 'JOB_FAILING', $3, $4, '{\"failures\": 3}', 'cron_job_run', '1',
                          gen_random_uuid(), 'PENDING', clock_timestamp()) RETURNING id";
    clinic.row(insert, &[&address, &channel, &title, &body]).await.get(0)
}

async fn states(clinic: &Clinic) -> Vec<String> {
    let query =
        "SELECT concat_ws(' ', split_part(address, '@', 1), status, reason) AS t FROM notifications ORDER BY id";
    clinic.rows(query).await.iter().map(|row| row.get("t")).collect()
}

fn program(clinic: &Clinic, url: &str, authority: &Path) -> Program {
    let program = clinic.program.clone().env("ROUNDS_SMTP_URL", url).env("ROUNDS_PER_SECOND", "1000");
    let program = program.env("ROUNDS_SMTP_ROOT_CERT", authority.to_str().expect("a path"));
    program.env("ROUNDS_EMAIL_FROM", "The Clinic <noreply@clinic.example>")
}

async fn opensmtpd(place: &Path) {
    let (authority, certificate, key) = support::smtp::certificate("localhost");
    let file = place.join("authority.pem");
    fs::write(&file, authority).expect("can be written");
    let server = Mailbox::start(place).await;
    // Debian's OpenSMTPD fails in each TLS handshake (its issue 1239), so TLS ends before it.
    let gate = receivers::gate(support::smtp::acceptor(&certificate, &key), server.port).await;
    let clinic = Clinic::new().await;
    let mut sent = vec![];
    for url in [format!("smtp+clear://localhost:{}", server.port), format!("smtps://localhost:{gate}")] {
        let title = format!("Ärztin {}\r\nBcc: all@home.example", sent.len());
        let id = staged(&clinic, "EMAIL", "jane.o'neil+x@home.example", &title, BODY).await;
        program(&clinic, &url, &file).run(&["deliver-notifications", "--channel", "email"]).await.expect(0);
        sent.push((id, title.replace("\r\n", "  ")));
    }
    with_html(&clinic, &program(&clinic, &format!("smtps://localhost:{gate}"), &file), place).await;
    let stranger = staged(&clinic, "EMAIL", "jane@elsewhere.example", "t", BODY).await;
    let refused = program(&clinic, &format!("smtps://localhost:{gate}"), &file);
    refused.run(&["deliver-notifications", "--channel", "email"]).await.expect(3);
    let reason = clinic.row("SELECT reason FROM notifications WHERE id = $1", &[&stranger]).await;
    assert_eq!(reason.get::<_, &str>("reason"), "SMTP_TO_550");
    let mails = server.mails(sent.len() + 1).await;
    let mail = mails.iter().find(|mail| mail["headers"]["Subject"] == json!(["a <b> & Grüße works again"]));
    let parts = mail.expect("it arrived")["parts"].clone();
    let expected = json!([
        { "type": "text/plain", "text": "a <b> & Grüße works again. Failures in a row before: 3.\n" },
        { "type": "text/html", "text": "<p>a &lt;b&gt; &amp; Grüße</p>\n" },
    ]);
    assert_eq!((parts, &mail.expect("it arrived")["defects"]), (expected, &json!([])));
    for (id, title) in sent {
        let row = "SELECT format('<rounds.%s.%s@clinic.example>', id, (extract(epoch FROM created_at) * 1000000)::bigint) AS id,
                          extract(epoch FROM sending_at)::float8 AS at, status FROM notifications WHERE id = $1";
        let row = clinic.row(row, &[&id]).await;
        assert_eq!(row.get::<_, &str>("status"), "SENT");
        let mail = mails.iter().find(|mail| mail["headers"]["Message-ID"] == json!([row.get::<_, &str>("id")]));
        let mail = mail.unwrap_or_else(|| panic!("{id} is not among {mails:?}"));
        let headers = &mail["headers"];
        assert_eq!(headers["Subject"], json!([title]), "{mail}");
        assert_eq!(headers["From"], json!(["The Clinic <noreply@clinic.example>"]), "{mail}");
        assert_eq!(headers["To"], json!(["jane.o'neil+x@home.example"]), "{mail}");
        assert_eq!((&headers["Bcc"], &headers["Auto-Submitted"]), (&json!([]), &json!(["auto-generated"])), "{mail}");
        assert_eq!(mail["defects"], json!([]), "{mail}");
        let at = mail["date"].as_f64().expect("an instant");
        assert!((at - row.get::<_, f64>("at").floor()).abs() < 1.0, "{mail}");
        let parts = mail["parts"].as_array().expect("parts");
        assert_eq!((parts.len(), &parts[0]["type"]), (1, &json!("text/plain")), "{mail}");
        assert_eq!(parts[0]["text"].as_str().map(str::trim_end), Some(BODY.trim_end()), "{mail}");
    }
}

/// Delivers a mail whose template has HTML beside the plain text.
async fn with_html(clinic: &Clinic, program: &Program, place: &Path) {
    let templates = place.join("templates");
    fs::create_dir(&templates).expect("can be made");
    fs::write(templates.join("job_recovered.email.html"), "<p>{job}</p>\n").expect("can be written");
    let insert = "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, placeholders, entity,
                                             entity_id, dedupe_key, status, created_at)
                  VALUES ('ADDRESS', 'jane@home.example', 'EMAIL', 'JOB_RECOVERED', 't', 'b',
                          '{\"job\": \"a <b> & Grüße\", \"failures\": 3}', 'cron_job_run', '1', gen_random_uuid(), 'PENDING',
                          clock_timestamp())";
    clinic.sql(insert).await;
    let folder = templates.to_str().expect("a path");
    program.run(&["deliver-notifications", "--channel", "email", "--templates", folder]).await.expect(0);
}

async fn stages(place: &Path) {
    let (authority, certificate, key) = support::smtp::certificate("localhost");
    let files = ["mail-authority.pem", "mail.pem", "mail-key.pem"].map(|name| place.join(name));
    for (file, text) in files.iter().zip([authority, certificate, key.serialize_pem()]) {
        fs::write(file, text).expect("can be written");
    }
    let [authority, certificate, key] = &files;
    let paths = [certificate, key].map(|path| path.to_str().expect("a path"));
    let mut server = Script::start("receive_mail.py", &paths).await;
    let url = format!("smtp://localhost:{}", server.port);
    let clinic = Clinic::new().await;
    let expected = [
        ("jane", "SENT"),
        ("to-550", "FAILED SMTP_TO_550_5.1.1"),
        ("to-451", "PENDING SMTP_TO_451_4.3.0"),
        ("data-451", "PENDING SMTP_TEXT_451_4.3.0"),
        ("data-554", "FAILED SMTP_TEXT_554"),
        ("data-close", "PENDING SMTP_TEXT_LOST"),
        ("data-hold", "PENDING SMTP_TEXT_TIMEOUT"),
        ("end-451", "PENDING SMTP_END_451_4.3.0"),
        ("end-554", "FAILED SMTP_END_554"),
        ("end-close", "UNCERTAIN SMTP_END_LOST"),
        ("end-hold", "UNCERTAIN SMTP_END_TIMEOUT"),
        ("joe", "SENT"),
    ];
    for (name, _) in expected {
        staged(&clinic, "EMAIL", &format!("{name}@home.example"), "t", BODY).await;
    }
    let known = program(&clinic, &url, authority).env("ROUNDS_SMTP_USER", "clinic");
    let wrong = known.clone().env("ROUNDS_SMTP_PASSWORD", "wrong");
    let report = wrong.run(&["deliver-notifications", "--channel", "email"]).await.expect(1).report();
    assert_eq!(report["error_code"], "CHANNEL_STOPPED", "{report}");
    let reason = "SELECT count(*) FROM notifications WHERE reason = 'SMTP_LOGIN_535_5.7.8' AND attempts = 0";
    assert!(clinic.count(reason).await > 0);
    clinic.sql("UPDATE notifications SET next_attempt_at = NULL").await;
    let right = known.env("ROUNDS_SMTP_PASSWORD", "secret");
    right.run(&["deliver-notifications", "--channel", "email"]).await.expect(3);
    let expected: Vec<String> = expected.iter().map(|(name, state)| format!("{name} {state}")).collect();
    assert_eq!(states(&clinic).await, expected);
    let flagged = clinic.rows("SELECT address FROM contact_suppressions").await;
    assert_eq!(flagged.iter().map(|row| row.get("address")).collect::<Vec<String>>(), ["to-550@home.example"]);
    for _ in 0..2 {
        let taken = server.line().await;
        assert_eq!((&taken["tls"], &taken["from"]), (&json!(true), &json!("noreply@clinic.example")), "{taken}");
    }
}

async fn webhooks(place: &Path) {
    let mut server = Script::start("receive_webhooks.py", &[SECRET]).await;
    let file = place.join("endpoints.toml");
    let text = format!("[pager]\nurl = \"http://127.0.0.1:{}/hook\"\nsecret = \"{SECRET}\"\n", server.port);
    fs::write(&file, text).expect("can be written");
    let clinic = Clinic::new().await;
    let mut ids = vec![];
    for _ in 0..3 {
        ids.push(format!("rounds_{}", staged(&clinic, "WEBHOOK", "pager", "t", BODY).await));
    }
    let program = clinic.program.clone().env("ROUNDS_WEBHOOK_ENDPOINTS", file.to_str().expect("a path"));
    program.run(&["deliver-notifications", "--channel", "webhook"]).await.expect(0);
    assert_eq!(states(&clinic).await, ["pager SENT"; 3]);
    let mut got = vec![];
    for _ in 0..3 {
        let line: Value = server.line().await;
        assert_eq!((&line["good"], &line["type"]), (&json!(true), &json!("JOB_FAILING")), "{line}");
        got.push(line["id"].as_str().expect("an id").to_owned());
    }
    got.sort_unstable();
    ids.sort_unstable();
    assert_eq!(got, ids);
}
