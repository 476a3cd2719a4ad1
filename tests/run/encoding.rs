//! Text that cannot be decoded: bytes in a database without an encoding, a character that UTF-8 has not. One row of it
//! stops no other.

use std::fs::File;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::tickets::{TICKET, Ticket};
use crate::support::{Clinic, Database, Program, connect, program_url, server};

/// A clinic in a database of that encoding.
async fn clinic(encoding: &str, test: &str) -> Clinic {
    let name = format!("{test}_{}", encoding.to_lowercase());
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    connect(&server().url("postgres")).await.batch_execute(&create).await.expect("can be created");
    Program::new(&program_url(&name)).run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    let clinic = Clinic::on(Database::not_ours(&name), Kind::Bigint).await;
    Kind::Bigint.complete(&clinic.client).await;
    clinic
}

/// The lines of the one file that a run archived.
fn archived(report: &Value) -> Vec<Value> {
    let [path] = &report["archived"].as_array().expect("files")[..] else { panic!("one file: {report}") };
    let mut text = String::new();
    let file = File::open(path.as_str().expect("a path")).expect("is there");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Three old notices, the second with that text in SQL.
async fn old_notices(clinic: &Clinic, text: &str) {
    for (number, body) in [(1, "E'Müller \\\\ \"x\"'"), (2, text), (3, "'plain'")] {
        clinic
            .sql(&format!(
                "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                            dedupe_key, status, sent_at, created_at)
                 VALUES ('USER', 3, 'IN_APP', 'X', 'the title', {body}, 'e', '1', 'k{number}', 'SENT', '2024-01-01',
                         '2024-01-01')"
            ))
            .await;
    }
}

#[tokio::test]
async fn an_archive_has_the_bytes_of_what_cannot_be_decoded_and_the_other_rows_as_they_are() {
    // Of the second no character is known under that byte. The text, its bytes in the database, and what is read of it.
    for (encoding, text, bytes, shown) in [
        (
            "SQL_ASCII",
            "E'M\\xfcller \"quoted\" \\\\'",
            "4dfc6c6c6572205c2271756f7465645c22205c5c",
            "M\u{fffd}ller \"quoted\" \\",
        ),
        ("WIN1252", "E'M\\x81ller'", "4d816c6c6572", "M\u{fffd}ller"),
    ] {
        for batch in ["1", "1000"] {
            let clinic = clinic(encoding, &format!("archive_{batch}")).await;
            // In a database without an encoding a text is what the application sent, most often UTF-8.
            old_notices(&clinic, text).await;
            let dir = TempDir::new().expect("a directory");
            let archive = dir.path().to_str().expect("UTF-8");
            let outcome = clinic.run(&["prune", "--archive", archive, "--batch-rows", batch]).await.expect(0);
            assert_eq!((outcome.count("notifications"), outcome.count("failed")), (3, 0), "{encoding}: {outcome:?}");
            assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 0);
            let lines = archived(&outcome.report());
            assert_eq!(lines.iter().map(|line| &line["id"]).collect::<Vec<_>>(), [1, 2, 3], "{encoding}");
            assert_eq!((&lines[0]["body"], &lines[2]["body"]), (&json!("Müller \\ \"x\""), &json!("plain")));
            assert_eq!((lines[0].get("undecodable"), lines[2].get("undecodable")), (None, None), "{encoding}");
            let marked = &lines[1];
            assert_eq!((&marked["title"], &marked["body"]), (&json!("the title"), &json!(shown)), "{encoding}");
            assert_eq!(marked["undecodable"]["encoding"], encoding);
            let row = marked["undecodable"]["row"].as_str().expect("digits");
            assert!(row.starts_with("7b22") && row.ends_with("7d") && row.contains(bytes), "{encoding}: {row}");
            assert!(outcome.stderr.contains("notification 2: a text in it cannot be decoded"), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn names_are_shown_with_what_cannot_be_decoded_escaped() {
    let clinic = clinic("SQL_ASCII", "names").await;
    let (facility, doctor) = clinic.new_york(15).await;
    let nurse = clinic.user(facility, "NURSE").await;
    for _ in 0..2 {
        let (date, time, status, checked_in) = ("2026-03-02", "09:00", "CHECKED_IN", Some("2026-03-02T09:05-05"));
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    }
    clinic.sql("UPDATE patients SET last_name = E'M\\xfcller' WHERE id = 1").await;
    clinic.sql("UPDATE patients SET last_name = 'Zoë 東京 😀' WHERE id = 2").await;
    clinic.run(&["stage-alerts", "--as-of", "2026-03-02T09:30:00-05:00"]).await.expect(0);
    let reveal = ["alerts", "list", "--reveal", "--actor", &nurse.to_string()];
    let outcome = clinic.run(&reveal).await.expect(0);
    let text = outcome.report().to_string();
    assert!(text.contains("M\\\\374ller") && text.contains("Zoë 東京 😀"), "{text}");
}

#[tokio::test]
async fn one_rule_and_one_facility_that_cannot_be_decoded_are_named_and_the_others_go_on() {
    let clinic = clinic("SQL_ASCII", "rules").await;
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    clinic.facility("America/Denver", None).await;
    clinic.sql("UPDATE facilities SET time_zone = E'M\\xfcnchen' WHERE id = 2").await;
    let outcome = clinic.run(&["mark-no-shows", "--as-of", "2026-03-02T17:00:00Z"]).await.expect(3);
    assert_eq!((outcome.count("marked"), outcome.count("failed")), (1, 1), "{outcome:?}");

    clinic.user(facility, "MANAGER").await;
    clinic.ticket(Ticket { ..TICKET }).await;
    for message in ["look", "Müller", "x"] {
        let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
        clinic.rule(rule, ("notify_manager", json!({ "message": message }))).await;
    }
    clinic.sql("UPDATE escalation_rules SET action = E'{\"message\": \"M\\xfcller\"}' WHERE id = 3").await;
    for command in [&["escalate-tickets", "--as-of", "2026-03-02T17:00:00Z"][..], &["escalation-rules", "check"]] {
        let outcome = clinic.run(command).await.expect(3);
        assert!(outcome.stdout.contains("cannot be read") || outcome.stdout.contains("MALFORMED_RULE"), "{outcome:?}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM escalation_episodes").await, 2);
    let body = clinic.count("SELECT count(*) FROM notifications WHERE body = 'Müller'").await;
    assert_eq!(body, 1, "what is UTF-8 is as it was written");
}
