//! What a person expects of every program: help that explains, completions, colours, CSV, a version.

use std::fs;

use serde_json::Value;

use super::nowhere;
use crate::support::{Clinic, Program};

#[tokio::test]
async fn help_explains_a_command_or_the_code_of_an_error() {
    let page = nowhere().run(&["help", "brake"]).await.expect(0).stdout;
    assert!(page.starts_with("BRAKE\n") && page.contains("exit code   5") && page.contains("not done"), "{page}");
    let page = nowhere().run(&["help", "BRAKE", "--output", "json"]).await.expect(0).report();
    assert_eq!((&page["code"], &page["pages"][0]["exit"]), (&Value::from("BRAKE"), &Value::from("5")));
    let state = nowhere().run(&["help", "57P02"]).await.expect(0).stdout;
    assert!(state.contains("the server crashed"), "{state}");
    for command in [&["mark-no-shows"][..], &["no-show", "undo"], &[]] {
        let [asked, flagged] = [[&["help"], command].concat(), [command, &["--help"]].concat()];
        assert_eq!(nowhere().run(&asked).await.expect(0).stdout, nowhere().run(&flagged).await.expect(0).stdout);
    }
    let codes = nowhere().run(&["help", "codes"]).await.expect(0).stdout;
    assert!(codes.contains("LEASE_EXPIRED") && codes.contains("NPPES_GAP"), "{codes}");
    let unknown = nowhere().run(&["help", "no-such-thing", "--output", "text"]).await.expect(2);
    assert!(unknown.stderr.trim_end().ends_with("[UNKNOWN_ARGUMENT]"), "{unknown:?}");
    // A schedule that cannot be read must not keep anybody from reading what that means.
    nowhere().env("ROUNDS_SCHEDULE", "no schedule").run(&["help", "SCHEDULE"]).await.expect(0);
}

#[tokio::test]
async fn completions_are_put_where_the_shell_looks() {
    let home = tempfile::tempdir().expect("a place for files");
    let program = nowhere().env("HOME", home.path().to_str().expect("UTF-8")).env("SHELL", "/usr/bin/fish");
    let said = program.run(&["completions", "install"]).await.expect(0).report();
    let path = home.path().join(".config/fish/completions/rounds.fish");
    assert_eq!((said["shell"].as_str(), said["written"].as_str()), (Some("fish"), path.to_str()));
    assert!(fs::read_to_string(&path).expect("written").contains("mark-no-shows"));
    program.run(&["completions", "install", "--shell", "zsh"]).await.expect(0);
    assert!(fs::read_to_string(home.path().join(".zfunc/_rounds")).expect("written").starts_with("#compdef rounds"));
    let refused = program.run(&["completions", "install", "--shell", "elvish", "--output", "text"]).await.expect(2);
    assert!(refused.stderr.contains("rounds completions elvish"), "{refused:?}");
    fs::write(home.path().join("file"), "").expect("can be written");
    let nowhere = program.clone().env("XDG_CONFIG_HOME", home.path().join("file").to_str().expect("UTF-8"));
    let failed = nowhere.run(&["completions", "install", "--output", "text"]).await.expect(1);
    assert!(failed.stderr.contains("cannot be written"), "{failed:?}");
}

#[tokio::test]
async fn a_list_can_be_csv() {
    let clinic = Clinic::with_visits(2).await;
    clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0);
    let text = clinic.run(&["no-show", "logs", "--output", "csv"]).await.expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 3 && lines[0].split(',').any(|column| column == "reason"), "{text}");
    assert!(lines[1..].iter().all(|line| line.contains("AUTO_TIMEOUT")), "{text}");
    let run = clinic.run(&["mark-no-shows", "--dry-run", "--output", "csv"]).await.expect(0).stdout;
    assert_eq!(run.lines().count(), 2, "a report is one row: {run}");
}

#[tokio::test]
async fn colours_are_as_asked_for() {
    let clinic = Clinic::with_visits(1).await;
    clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0);
    let has_colours = async |program: &Program, args: &[&str]| {
        let args = [&["runs", "list", "--output", "text"], args].concat();
        program.run(&args).await.expect(0).stdout.contains('\u{1b}')
    };
    let plain = &clinic.program;
    assert!(!has_colours(plain, &[]).await && has_colours(plain, &["--color", "always"]).await);
    assert!(has_colours(&plain.clone().env("CLICOLOR_FORCE", "1"), &[]).await);
    assert!(!has_colours(&plain.clone().env("CLICOLOR_FORCE", "1"), &["--color", "never"]).await);
    assert!(!has_colours(&plain.clone().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"), &[]).await);
}

#[tokio::test]
async fn help_and_mistakes_have_the_colours_that_are_asked_for() {
    let forced = nowhere().env("CLICOLOR_FORCE", "1");
    let asked = nowhere().env("ROUNDS_COLOR", "always");
    let none = forced.clone().env("NO_COLOR", "1");
    for (program, args, expected) in [
        (&nowhere(), &["--help"][..], false),
        (&nowhere(), &["--color", "always", "--help"], true),
        (&nowhere(), &["runs", "list", "--help", "--color=always"], true),
        (&nowhere(), &["help", "runs", "--color=always"], true),
        (&asked, &["--help"], true),
        (&asked, &["--help", "--color", "never"], false),
        (&forced, &["--help"], true),
        (&forced, &["--help", "--color", "never"], false),
        (&none, &["--help"], false),
        (&none, &["--help", "--color", "always"], true),
    ] {
        assert_eq!(program.run(args).await.expect(0).stdout.contains('\u{1b}'), expected, "{args:?}");
    }
    let mistake = nowhere().run(&["runs", "lst", "--color", "always"]).await.expect(2);
    assert!(mistake.stderr.contains('\u{1b}'), "{mistake:?}");
    let mistake = forced.run(&["runs", "lst", "--color", "never"]).await.expect(2);
    assert!(!mistake.stderr.contains('\u{1b}'), "{mistake:?}");
}

#[tokio::test]
async fn version_says_whether_the_schema_fits() {
    let clinic = Clinic::new().await;
    let fits = clinic.run(&["version", "--check"]).await.expect(0).report();
    assert_eq!((&fits["fits"], &fits["schema_of_program"]), (&Value::from(true), &fits["schema_of_database"]));
    nowhere().run(&["version"]).await.expect(0);
    clinic.sql("DELETE FROM rounds_migrations WHERE version > 1").await;
    assert_eq!(clinic.run(&["version", "--check"]).await.expect(2).report()["error_code"], "SCHEMA_BEHIND");
}
