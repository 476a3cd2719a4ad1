//! The command line: help, usage errors, where output goes.

mod config;
mod habits;

use std::fs;

use serde_json::Value;

use crate::support::{Clinic, Program};

/// A program that can reach nothing.
fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL").without("ROUNDS_ALLOW_AS_OF").without("ROUNDS_FIRST_RUN_MAX")
}

#[tokio::test]
async fn help_is_as_it_was_read() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_mark_no_shows", &["mark-no-shows", "--help"]),
        ("help_stage_alerts", &["stage-alerts", "--help"]),
        ("help_migrate", &["migrate", "--help"]),
        ("help_adopt", &["adopt", "--help"]),
        ("help_prune", &["prune", "--help"]),
        ("help_health", &["health", "--help"]),
        ("help_no_show_mark", &["no-show", "mark", "--help"]),
        ("help_no_show_undo", &["no-show", "undo", "--help"]),
        ("help_escalate_sla", &["escalate-sla", "--help"]),
        ("help_sync_practiceq", &["sync-practiceq", "--help"]),
        ("help_alerts_list", &["alerts", "list", "--help"]),
    ] {
        let outcome = nowhere().run(args).await.expect(0);
        insta::assert_snapshot!(name, outcome.stdout);
    }
}

#[tokio::test]
async fn bad_usage_is_a_clear_sentence_and_exit_2() {
    let cases: &[&[&str]] = &[
        &[],
        &["mark-noshows"],
        &["mark-no-shows", "--timeout", "5"],
        &["mark-no-shows", "--timeout", "0s"],
        &["mark-no-shows", "--lease", "1s"],
        &["mark-no-shows", "--batch-rows", "0"],
        &["mark-no-shows", "--lookback-days", "-1"],
        &["mark-no-shows", "--as-of", "yesterday"],
        &["mark-no-shows", "--source", "moon"],
        &["stage-alerts", "--basis", "departure"],
        &["mark-no-shows", "--output", "xml"],
        &["mark-no-shows", "--schema", "pg_catalog"],
        &["mark-no-shows", "--actor", "nurse\t7"],
        &["mark-no-shows", "--unless-succeeded-within", "0s"],
        &["no-show", "mark", "1", "--actor", "7"],
        &["no-show", "mark", "1", "--reason", "AUTO_TIMEOUT"],
        &["no-show", "mark", "a\tvisit", "--reason", "MANUAL_STAFF"],
        &["no-show", "undo", "--reason", "r", "--actor", "7"],
        &["no-show", "undo", "1", "--run", "00000000-0000-4000-8000-000000000000", "--reason", "r"],
        &["no-show", "undo", "1", "--actor", "7"],
        &["no-show", "undo", "--run", "gar bage", "--reason", "r"],
        &["no-show", "logs", "--from", "yesterday"],
        &["alerts", "list", "--type", "NO_NURSE"],
        &["runs", "show", "newest"],
        &["health", "--since", "soon"],
        &["health", "--shape", "cron-health"],
        &["health", "prune", "--metrics-job-name", "X=nothing"],
        &["npi", "search", "Stone", "--state", "Colorado"],
        &["runs", "list", "--limit", "0"],
        &["health", "--lease", "5s"],
        &["alerts", "list", "--batch-rows", "5"],
        &["advance-billing", "--stage", "20"],
        &["advance-billing", "--stage", "paid", "--case"],
        &["advance-billing", "--stage", "paid", "--case", ""],
        &["advance-billing", "--stage", "paid", "--case", "a\tcase"],
        &["advance-billing", "--stage", "paid", "--cases-file", "/nowhere"],
        &["advance-billing", "--case", "1", "--to", "-1"],
        &["advance-billing", "--to", "20"],
        &["advance-billing", "--case", "1", "--force"],
        &["sync-practiceq", "--incremental", "--patient", "1"],
        &["sync-practiceq", "--appointment", "../clients"],
        &["sync-practiceq", "--base-url", "http://intakeq.com/api/v1/"],
        &["practiceq", "unmatched", "link", "1"],
        &["adopt"],
        &["adopt", "--from", "public", "mark-noshows"],
        &["prune", "--keep", "1h"],
        &["prune", "--keep", "300000y"],
        &["mark-no-shows", "--timeout", "300000y"],
        &["mark-no-shows", "--retry-delay", "2h"],
        &["escalate-sla", "--re-escalate-after", "18446744073709551616y"],
        &["escalate-sla", "--take-up-grace", "101y"],
        &["prune", "--archive", "/nowhere"],
    ];
    let mut all = String::new();
    for args in cases {
        let outcome = nowhere().run(args).await.expect(2);
        assert_eq!(outcome.stdout, "", "{args:?}");
        let sentence = outcome.stderr.split("\n\n").next().unwrap_or_default();
        all += &format!("$ rounds {}\n{sentence}\n\n", args.join(" "));
    }
    insta::assert_snapshot!("usage_errors", all);
}

#[tokio::test]
async fn bad_configuration_is_a_clear_sentence_and_exit_2() {
    let place = tempfile::tempdir().expect("a place for files");
    let dir = place.path();
    let file = |name: &str, text: &str| {
        fs::write(dir.join(name), text).expect("can be written");
        dir.join(name).display().to_string()
    };
    let (empty, junk) = (file("empty", "\n"), file("junk", "CANARY\n"));
    let missing = dir.join("missing").display().to_string();
    let url = "postgresql://u@h/d";
    let verify = "postgresql://u@h/d?sslmode=verify-full";
    let cases: &[(&[&str], &str)] = &[
        (&["mark-no-shows"], "no database: set DATABASE_URL"),
        (&["mark-no-shows", "--database-url", ""], "empty"),
        (&["mark-no-shows", "--database-url-file", &empty], "empty"),
        (&["mark-no-shows", "--database-url-file", &junk], "cannot be read; it looks like postgresql://"),
        (&["mark-no-shows", "--database-url-file", &missing], "there is no such file"),
        (&["mark-no-shows", "--database-url", url, "--database-url-file", &junk], "keep one of them"),
        (&["mark-no-shows", "--database-url", verify, "--ssl-root-cert", &junk], "holds no certificate"),
        (&["mark-no-shows", "--database-url", verify, "--ssl-root-cert", &missing], "there is no such file"),
        (&["sync-practiceq", "--database-url", url], "no key: set ROUNDS_PRACTICEQ_KEY"),
        (&["sync-practiceq", "--database-url", url, "--api-key-file", &empty], "the key of the account is empty"),
        (&["sync-practiceq", "--database-url", url, "--api-key-file", &missing], "there is no such file"),
        (&["sync-practiceq", "--api-key", "CANARY", "--api-key-file", &junk], "--api-key is no place for the key"),
        (&["mark-no-shows", "--database-url", url, "--as-of", "2026-03-02T09:15:00Z"], "ROUNDS_ALLOW_AS_OF=1"),
    ];
    for (args, sentence) in cases {
        let outcome = nowhere().run(args).await.expect(2);
        assert!(outcome.stderr.contains(sentence), "{args:?}: {}", outcome.stderr);
        assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    }
    fs::remove_dir_all(dir).expect("can be removed");
}

#[tokio::test]
async fn what_the_command_line_says_beats_the_environment() {
    let clinic = Clinic::new().await;
    let url = crate::support::program_url(&clinic.database);
    for (variables, args) in [
        (&[("ROUNDS_TIMEOUT", "soon")][..], &["mark-no-shows", "--timeout", "3m"][..]),
        (&[("ROUNDS_TIMEOUT", "soon")], &["--timeout", "3m", "mark-no-shows"]),
        (
            &[("ROUNDS_DRY_RUN", "maybe"), ("ROUNDS_BATCH_ROWS", "0")],
            &["mark-no-shows", "--dry-run", "--batch-rows", "9"],
        ),
        (&[("ROUNDS_OUTPUT", "xml")], &["mark-no-shows", "--output", "json"]),
        (&[("DATABASE_URL_FILE", "/nowhere"), ("DATABASE_URL", "none")], &["mark-no-shows", "--database-url", &url]),
        (&[("DATABASE_URL_FILE", "/nowhere")], &["--database-url", &url, "mark-no-shows"]),
        (&[("ROUNDS_METRICS_JOB_NAME", "X=")], &["mark-no-shows", "--metrics-job-name", "X"]),
    ] {
        let program = variables.iter().fold(clinic.program.clone(), |program, (name, value)| program.env(name, value));
        program.run(args).await.expect(0);
        if let [(name, _)] = variables
            && *name != "DATABASE_URL_FILE"
        {
            let outcome = program.run(&["mark-no-shows"]).await.expect(2);
            assert!(outcome.stderr.contains(&format!("the variable {name}: ")), "{outcome:?}");
        }
    }
    let both = clinic.program.clone().env("DATABASE_URL_FILE", "/nowhere");
    assert!(both.run(&["mark-no-shows"]).await.expect(2).stderr.contains("keep one of them"), "neither is on the line");
    let place = tempfile::tempdir().expect("a place for files");
    let file = place.path().join("key");
    fs::write(&file, "the-key").expect("can be written");
    let sync = ["sync-practiceq", "--api-key-file", file.to_str().expect("UTF-8"), "--base-url", "http://127.0.0.1:1/"];
    let outcome = clinic.program.clone().env("ROUNDS_PRACTICEQ_KEY", "another").run(&sync).await;
    assert!(!format!("{outcome:?}").contains("keep one of them"), "{outcome:?}");
}

#[tokio::test]
async fn a_usage_line_names_nothing_that_the_environment_gives() {
    let given = nowhere().env("DATABASE_URL", "postgresql://h/d").env("ROUNDS_OUTPUT", "text").env("ROUNDS_ACTOR", "7");
    for args in [
        &["no-show", "mark", "1"][..],
        &["advance-billing", "--force"],
        &["alerts", "list", "--shape", "no-show-alerts"],
    ] {
        let outcome = given.run(args).await.expect(2);
        let usage = outcome.stderr.lines().find(|line| line.starts_with("Usage: ")).expect("a usage line").to_owned();
        for option in ["--database-url", "--output", "--actor"] {
            assert!(!usage.contains(option), "{usage}");
        }
        assert_eq!(outcome.stderr, nowhere().run(args).await.stderr, "{args:?}");
    }
}

#[tokio::test]
async fn as_of_without_effects_is_always_allowed() {
    let clinic = Clinic::new().await;
    let program = clinic.program.clone().without("ROUNDS_ALLOW_AS_OF");
    let report =
        program.run(&["mark-no-shows", "--dry-run", "--as-of", "2026-03-02T09:15:00Z"]).await.expect(0).report();
    assert_eq!(report["now"], "2026-03-02T09:15:00.000Z");
    // Without it, the database's clock decides.
    let report = clinic.run(&["mark-no-shows"]).await.expect(0).report();
    let started = clinic.json("SELECT started_at AS t FROM cron_job_runs").await;
    assert_eq!(report["now"].as_str().map(|now| &now[..22]), started["t"].as_str().map(|t| &t[..22]));
}

#[tokio::test]
async fn the_address_may_come_from_a_file() {
    let clinic = Clinic::new().await;
    let place = tempfile::tempdir().expect("a place for files");
    let path = place.path().join("url");
    fs::write(&path, format!("{}\n", crate::support::program_url(&clinic.database))).expect("can be written");
    let program = clinic.program.clone().without("DATABASE_URL");
    program.run(&["mark-no-shows", "--database-url-file", &path.display().to_string()]).await.expect(0);
}

#[tokio::test]
async fn options_may_stand_on_both_sides_and_come_from_the_environment() {
    let clinic = Clinic::new().await;
    let report = clinic.run(&["--dry-run", "mark-no-shows"]).await.expect(0).report();
    assert_eq!(report["dry_run"], true);
    let program = clinic.program.clone().env("ROUNDS_DRY_RUN", "1").env("ROUNDS_OUTPUT", "text");
    let text = program.run(&["mark-no-shows"]).await.expect(0).stdout;
    assert!(text.starts_with("mark-no-shows COMPLETED (dry run: nothing was changed) in "), "{text}");
    assert!(text.contains("\n  marked              0\n"), "{text}");
}

#[tokio::test]
async fn the_report_is_on_stdout_and_log_lines_are_on_stderr() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["mark-no-shows", "--log-format", "json"]).await.expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1);
    let lines: Vec<Value> =
        outcome.stderr.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let messages: Vec<&Value> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["run started", "run finished"], "one line at each end");
    for line in &lines {
        assert_eq!((&line["job"], &line["run_id"]), (&Value::from("mark-no-shows"), &outcome.report()["run_id"]));
    }
}

#[tokio::test]
async fn the_version_names_the_commit() {
    let text = nowhere().run(&["--version"]).await.expect(0).stdout;
    let expected = format!("rounds {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&expected) && text.trim_end().ends_with(')'), "{text}");
}

#[tokio::test]
async fn the_reference_is_what_the_program_says_of_itself() {
    let written = fs::read_to_string("docs/cli.md").expect("docs/cli.md");
    let said = nowhere().run(&["man", "--markdown"]).await.expect(0).stdout;
    assert!(written == said, "docs/cli.md is not up to date: make docs");
    let written = fs::read_to_string("docs/errors.md").expect("docs/errors.md");
    let said = nowhere().run(&["man", "--errors"]).await.expect(0).stdout;
    assert!(written == said, "docs/errors.md is not up to date: make docs");
}

#[tokio::test]
async fn every_command_has_completions_and_a_page() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = nowhere().run(&["completions", shell]).await.expect(0).stdout;
        assert!(script.contains("mark-no-shows") && script.contains("acknowledge"), "{shell}");
    }
    let place = tempfile::tempdir().expect("a place for files");
    let dir = place.path().join("man");
    fs::create_dir(&dir).expect("can be made");
    nowhere().run(&["man", "--dir", dir.to_str().expect("UTF-8")]).await.expect(0);
    for page in ["rounds", "rounds-mark-no-shows", "rounds-no-show-mark", "rounds-health"] {
        let text = fs::read_to_string(dir.join(format!("{page}.1"))).expect(page);
        assert!(text.contains(".TH"), "{page}: {text}");
    }
    fs::remove_dir_all(&dir).expect("can be removed");
    let outcome = nowhere().run(&["man", "--dir", dir.to_str().expect("UTF-8")]).await.expect(1);
    assert!(outcome.stderr.contains("cannot be written"), "{}", outcome.stderr);
    let page = nowhere().run(&["man"]).await.expect(0).stdout;
    assert!(page.contains("Run\\-once jobs"), "{page}");
}

/// One name everywhere.
#[tokio::test]
async fn every_job_is_where_its_name_says() {
    let help = nowhere().run(&["--help"]).await.expect(0).stdout;
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).expect("commands");
    let others = [
        "no-show",
        "absences",
        "alerts",
        "escalation-rules",
        "check",
        "health",
        "runs",
        "pause",
        "resume",
        "schedule",
        "npi",
        "practiceq",
        "report",
        "migrate",
        "actors",
        "adopt",
        "notifications",
        "grants",
        "config",
        "completions",
        "man",
        "version",
        "demo",
        "seed",
        "help",
    ];
    let jobs: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !others.contains(name))
        .collect();
    assert!(jobs.contains(&"mark-no-shows"), "{jobs:?}");
    let [readme, table] = ["README.md", "docs/jobs.md"].map(|page| fs::read_to_string(page).expect("a page"));
    for job in &jobs {
        let stem = job.replace('-', "_");
        for path in [format!("src/jobs/{stem}/mod.rs"), format!("tests/jobs/{stem}/mod.rs")] {
            assert!(fs::exists(&path).expect("can be asked"), "{job}: {path} is missing");
        }
        let mut files = fs::read_dir(format!("src/jobs/{stem}")).expect("a folder").map(|file| file.expect("readable"));
        assert!(
            files.any(|file| file.path().extension().is_some_and(|end| end == "sql")),
            "{job}: no SQL in its folder"
        );
        let source = fs::read_to_string(format!("src/jobs/{stem}/mod.rs")).expect("readable");
        assert!(source.contains(&format!("const NAME: &'static str = \"{job}\"")), "{job}: its NAME differs");
        for (page, text) in [("README.md", &readme), ("docs/jobs.md", &table)] {
            assert!(text.contains(&format!("| `{job}` |")), "{job}: not in the table of {page}");
        }
        let help = nowhere().run(&[job, "--help"]).await.expect(0).stdout;
        // One line, or one a lane.
        let lines: Vec<&str> = help.lines().filter(|line| line.starts_with("Schedule")).collect();
        assert!(!lines.is_empty(), "{job}: not in schedule.rs");
        for line in lines {
            let cadence = line.split(": ").nth(1).and_then(|rest| rest.split(". Deadline").next()).expect("a cadence");
            assert!(table.contains(cadence), "{job}: docs/jobs.md names another cadence than {cadence:?}");
        }
    }
    for entry in fs::read_dir("src/jobs").expect("jobs") {
        let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
        let job = name.split('.').next().unwrap_or_default().replace('_', "-");
        assert!(job == "mod" || jobs.contains(&job.as_str()), "src/jobs/{name} belongs to no command");
    }
}
