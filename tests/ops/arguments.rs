//! Secrets and what is said of a patient are no arguments: other users of the machine see those.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::no_show::BookedVisit;
use super::{refused, state};
use crate::support::Program;
use crate::support::program::{self, Outcome};

/// More than notes may have.
const TOO_LONG: usize = (64 << 10) + 1;

/// A program that can reach nothing.
fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL")
}

/// Fails unless it was refused without repeating the secret.
#[track_caller]
fn silent(outcome: Outcome, way: &str) {
    let outcome = outcome.expect(2);
    assert!(outcome.stderr.contains(way), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
}

#[tokio::test]
async fn a_password_on_the_command_line_is_refused_with_the_way_to_give_it() {
    let way = "set DATABASE_URL, or put the URL into a file and say --database-url-file PATH";
    for url in ["postgresql://u:CANARY@127.0.0.1:1/d", "postgresql://u@h/d?password=CANARY", "host=h password=CANARY"] {
        for args in [
            &["--database-url", url, "mark-no-shows"][..],
            &["mark-no-shows", &format!("--database-url={url}")],
            &["runs", "list", "--database-url", url],
            &["migrate", "--database-url", url, "--output", "json"],
            // Where no database is needed, too: it was seen.
            &["completions", "bash", "--database-url", url],
        ] {
            silent(nowhere().run(args).await, way);
        }
        // What the environment says does not matter, not even where it is in the way.
        let both = nowhere().env("DATABASE_URL", "postgresql://h/d").env("DATABASE_URL_FILE", "/nowhere");
        silent(both.run(&["mark-no-shows", "--database-url", url]).await, way);
    }
    // A variable may hold one; the server is not reached.
    let variable = nowhere().env("DATABASE_URL", "postgresql://u:CANARY@127.0.0.1:1/d").env("ROUNDS_ATTEMPTS", "1");
    let outcome = variable.run(&["mark-no-shows"]).await.expect(1);
    assert!(outcome.stderr.contains("127.0.0.1") && !outcome.stderr.contains("CANARY"), "{outcome:?}");
}

#[tokio::test]
async fn a_key_on_the_command_line_is_refused_with_the_way_to_give_it() {
    let way = "set ROUNDS_PRACTICEQ_KEY, or put the key into a file and say --api-key-file PATH";
    for program in [nowhere(), nowhere().env("ROUNDS_PRACTICEQ_KEY", "k").env("DATABASE_URL", "postgresql://h/d")] {
        silent(program.run(&["sync-practiceq", "--api-key", "CANARY"]).await, way);
        silent(program.run(&["sync-practiceq", "--api-key=CANARY", "--dry-run"]).await, way);
    }
    let way = "put the password into a file and say --smtp-password-file PATH";
    let mail = ["deliver-notifications", "--channel", "email", "--smtp-password", "CANARY"];
    silent(nowhere().env("DATABASE_URL", "postgresql://h/d").run(&mail).await, way);
}

/// A missed visit, its nurse, and a place for files.
struct Desk {
    booked: BookedVisit,
    visit: String,
    nurse: String,
    place: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let booked = BookedVisit::new().await;
        let [visit, nurse] = [booked.visit, booked.nurse].map(|id| id.to_string());
        Self { booked, visit, nurse, place: tempfile::tempdir().expect("a place for files") }
    }

    fn file(&self, content: &[u8]) -> String {
        let path = self.place.path().join("notes");
        fs::write(&path, content).expect("can be written");
        path.display().to_string()
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&self.booked.args(&self.visit, &self.nurse)[..], more].concat()
    }

    async fn mark(&self, more: &[&str]) -> Outcome {
        self.booked.clinic.run(&self.args(more)).await
    }

    /// With that on its standard input.
    async fn mark_with_input(&self, more: &[&str], input: &[u8]) -> Outcome {
        self.booked.clinic.program.run_with_input(&self.args(more), input).await
    }
}

#[tokio::test]
async fn notes_come_from_a_file_or_from_the_standard_input() {
    let desk = Desk::new().await;
    let clinic = &desk.booked.clinic;
    // The longest that there may be.
    desk.mark_with_input(&["--notes-file", "-", "--dry-run"], &vec![b'x'; TOO_LONG - 1]).await.expect(0);
    let path = desk.file("came late,\nfebrile: 39 °C\n".as_bytes());
    desk.mark(&["--notes-file", &path]).await.expect(0);
    let kept = clinic.json("SELECT notes FROM no_show_logs").await;
    assert_eq!(kept, json!({"notes": "came late,\nfebrile: 39 °C"}));
    let undo = ["no-show", "undo", &desk.visit, "--actor", &desk.nurse, "--as-of", "2026-03-02T15:20:00Z"];
    let empty = clinic.run(&[&undo[..], &["--reason-file", "/dev/null"]].concat()).await;
    refused(empty, 2, "REASON_REQUIRED");
    let stdin = [&undo[..], &["--reason-file", "-"]].concat();
    clinic.program.run_with_input(&stdin, b"was at the lab\r\n").await.expect(0);
    let why = clinic.json("SELECT undo_reason FROM no_show_logs").await;
    assert_eq!(why, json!({"undo_reason": "was at the lab"}));
}

#[tokio::test]
async fn an_alert_is_resolved_with_notes_from_the_standard_input() {
    let desk = Desk::new().await;
    let clinic = &desk.booked.clinic;
    let insert = "INSERT INTO stage_alerts (appointment_id, alert_type, message, triggered_at)";
    clinic.sql(&format!("{insert} VALUES ('{}', 'NO_VITALS', 'm', '2026-03-02T15:10Z')", desk.visit)).await;
    let id: String = clinic.row("SELECT id::text FROM stage_alerts", &[]).await.get(0);
    let resolve = ["alerts", "resolve", &id, "--actor", &desk.nurse, "--notes-file", "-"];
    clinic.program.run_with_input(&resolve, b"seen in room 4").await.expect(0);
    let kept = clinic.json("SELECT status, resolution_notes FROM stage_alerts").await;
    assert_eq!(kept, json!({"status": "RESOLVED", "resolution_notes": "seen in room 4"}));
}

#[tokio::test]
async fn notes_that_are_endless_or_no_text_change_nothing() {
    let desk = Desk::new().await;
    let before = state(&desk.booked.clinic).await;
    let folder = desk.place.path().display().to_string();
    for (path, word) in [
        ("/dev/zero", "longer than 64 KiB"),
        ("/nowhere/notes", "there is no such file"),
        (&*folder, "it is a directory"),
    ] {
        let message = refused(desk.mark(&["--notes-file", path]).await, 2, "NOTES_UNREADABLE");
        assert!(message.contains(word) && message.contains("nothing was changed"), "{path}: {message}");
    }
    for (content, word) in [
        (vec![b'x'; TOO_LONG], "longer than 64 KiB"),
        (b"CANARY \xff".to_vec(), "no text in UTF-8"),
        (b"CANARY\0".to_vec(), "zero byte"),
    ] {
        let path = desk.file(&content);
        let of_file = desk.mark(&["--notes-file", &path]).await;
        for outcome in [of_file, desk.mark_with_input(&["--notes-file", "-"], &content).await] {
            assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
            let message = refused(outcome, 2, "NOTES_UNREADABLE");
            assert!(message.contains(word), "{message}");
        }
    }
    desk.mark(&["--notes", "a", "--notes-file", "-"]).await.expect(2);
    assert_eq!(state(&desk.booked.clinic).await, before);
}

#[tokio::test]
async fn an_input_that_does_not_end_is_not_waited_for() {
    let desk = Desk::new().await;
    let fifo = desk.place.path().join("fifo").display().to_string();
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("can be started");
    assert!(made.success());
    let outcome = desk.mark(&["--notes-file", &fifo, "--timeout", "500ms"]).await;
    let message = refused(outcome, 2, "NOTES_UNREADABLE");
    assert!(message.contains("no end of it in time"), "{message}");
    let waiting = desk.booked.clinic.program.start(&desk.args(&["--notes-file", &fifo]));
    program::signal(&waiting, libc::SIGTERM);
    assert_ne!(program::finish(waiting).await.code, 0, "a signal ends it");
}
