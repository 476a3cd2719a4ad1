//! The files of settings: which are read, what counts before them, how mistakes are told, and what `config show` says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::nowhere;
use crate::support::{Clinic, Program};

/// A file of settings in a place of its own.
struct Settings {
    place: tempfile::TempDir,
    path: PathBuf,
}

impl Settings {
    fn of(text: &str) -> Self {
        let place = tempfile::tempdir().expect("a place for files");
        let path = place.path().join("rounds/config.toml");
        fs::create_dir(place.path().join("rounds")).expect("can be made");
        let settings = Self { place, path };
        settings.write(text, 0o600);
        settings
    }

    fn write(&self, text: &str, mode: u32) {
        fs::write(&self.path, text).expect("can be written");
        fs::set_permissions(&self.path, Permissions::from_mode(mode)).expect("can be set");
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// The program of a user whose file it is.
    fn own(&self, program: &Program) -> Program {
        program.clone().without("ROUNDS_CONFIG").env("XDG_CONFIG_HOME", self.place.path().to_str().expect("UTF-8"))
    }
}

/// The row of a setting for a command.
fn row<'a>(shown: &'a Value, key: &str, command: &str) -> &'a Value {
    let rows = shown["settings"].as_array().expect("a list");
    let is_it = |row: &&Value| {
        let commands = row["commands"].as_array().expect("a list");
        row["setting"] == key
            && (commands.is_empty() && command.is_empty() || commands.iter().any(|one| one == command))
    };
    rows.iter().find(is_it).unwrap_or_else(|| panic!("no {key} of {command:?}: {shown}"))
}

#[tokio::test]
async fn a_file_stands_in_for_variables() {
    let clinic = Clinic::with_visits(2).await;
    let url = crate::support::program_url(&clinic.database);
    let text =
        format!("database-url = \"{url}\"\noutput = \"text\"\ndry-run = true\n\n[mark-no-shows]\nlookback-days = 3\n");
    let settings = Settings::of(&text);
    let program = settings.own(&clinic.program.clone().without("DATABASE_URL"));
    let job = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
    let said = program.run(&job).await.expect(0).stdout;
    assert!(said.starts_with("mark-no-shows COMPLETED (dry run"), "{said}");
    // The environment counts before the file, and the command line before both.
    let program = program.env("ROUNDS_DRY_RUN", "no");
    let report = program.run(&[&job[..], &["--output", "json"]].concat()).await.expect(0).report();
    assert_eq!((&report["dry_run"], &report["marked"]), (&Value::from(false), &Value::from(2)));
    let arguments = clinic.json("SELECT metadata->'arguments' AS a FROM cron_job_runs").await;
    assert_eq!(arguments["a"]["job"]["lookback_days"], 3, "{arguments}");
    // What the environment gives excludes the other of a pair in the file.
    settings.write("database-url-file = \"/nowhere\"\n", 0o600);
    settings.own(&clinic.program).run(&["runs", "list"]).await.expect(0);
    let outcome = settings.own(&clinic.program.clone().without("DATABASE_URL")).run(&["runs", "list"]).await.expect(2);
    assert!(outcome.stderr.contains("there is no such file"), "{outcome:?}");
    // A file that is named is the only one.
    let other = Settings::of("output = \"csv\"\n");
    let csv = settings.own(&clinic.program).run(&["runs", "list", "--config", other.path()]).await.expect(0).stdout;
    assert!(csv.starts_with("id,"), "{csv}");
    settings.own(&clinic.program).run(&["runs", "list", "--config", "none"]).await.expect(0).report();
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_told_with_its_line_and_stops_everything_but_help() {
    let settings = Settings::of("");
    let program = settings.own(&nowhere());
    for (text, sentence) in [
        ("\nschemas = \"x\"", "config.toml:2: there is no setting `schemas`; `schema` is the nearest name"),
        ("lookback-days = 3", "config.toml:1: `lookback-days` is another setting in each of [mark-no-shows], ["),
        ("[mark-no-show]\n", "config.toml:1: [mark-no-show] is no command; `mark-no-shows` is the nearest name"),
        ("[mark-no-shows]\nlookback-days = \"CANARY\"", "config.toml:2: `lookback-days`: expected a whole number"),
        ("log-level = \"loud\"", "config.toml:1: `log-level`: expected one of error, warn, info, debug"),
        ("dry-run = 7", "config.toml:1: `dry-run`: expected yes or no"),
        ("schema", "config.toml:1: "),
        ("scheduled-for = \"2026-03-02T09:15:00Z\"", "`scheduled-for` is for the command line"),
        ("database-url = \"x\"\ndatabase-url-file = \"y\"", "config.toml:2: `database-url` and `database-url-file`"),
    ] {
        settings.write(text, 0o600);
        let outcome = program.run(&["mark-no-shows", "--output", "text"]).await.expect(2);
        assert!(outcome.stderr.contains(sentence) && !outcome.stderr.contains("CANARY"), "{text}: {outcome:?}");
        assert!(outcome.stderr.trim_end().ends_with("[CONFIG_FILE]"), "{outcome:?}");
        let json = program.run(&["config", "show"]).await.expect(2).report();
        assert_eq!(json["error_code"], "CONFIG_FILE");
        for command in [&["help", "BRAKE"][..], &["version"], &["completions", "bash"], &["man"], &["--help"]] {
            program.run(command).await.expect(0);
        }
        program.run(&["version", "--check"]).await.expect(2);
        program.run(&["schedule", "--config", "none"]).await.expect(0);
    }
    let gone = nowhere().run(&["schedule", "--config", "/nowhere/config.toml", "--output", "text"]).await.expect(2);
    assert!(gone.stderr.contains("there is no such file"), "{gone:?}");
}

#[tokio::test]
async fn a_file_that_others_may_write_or_a_secret_that_all_may_read_is_refused() {
    let settings = Settings::of("");
    let program = settings.own(&nowhere());
    let refused = async |text: &str, mode: u32| {
        settings.write(text, mode);
        let outcome = program.run(&["schedule", "--output", "text"]).await;
        (outcome.code == 2).then_some(outcome.stderr)
    };
    assert_eq!(refused("schema = \"x\"", 0o644).await, None);
    for mode in [0o664, 0o646] {
        let said = refused("schema = \"x\"", mode).await;
        assert!(said.as_ref().is_some_and(|said| said.contains("other users may write to it: chmod go-w")), "{said:?}");
    }
    for secret in ["database-url = \"postgresql://u:CANARY@h/d\"", "[sync-practiceq]\napi-key = \"CANARY\""] {
        let said = refused(secret, 0o644).await.expect("refused");
        assert!(said.contains("is a secret, and everybody may read the file: chmod o-r"), "{said}");
        assert!(!said.contains("CANARY"), "{said}");
        assert_eq!(refused(secret, 0o600).await, None);
        assert_eq!(refused(secret, 0o640).await, None, "a group is somebody's decision");
    }
    assert_eq!(refused("database-url = \"postgresql://u@h/d\"", 0o644).await, None);
}

#[tokio::test]
async fn what_is_in_force_is_shown_with_its_source_and_no_secret() {
    let text = "schema = \"clinic\"\ntimeout = \"3m\"\nping-url = \"https://hc-ping.com/CANARY\"\nbatch-rows = 50\n\n\
                [mark-no-shows]\nlookback-days = 3\ntimeout = \"2m\"\n\n[sync-practiceq]\napi-key = \"CANARY\"\n";
    let settings = Settings::of(text);
    let program = settings.own(&nowhere()).env("ROUNDS_LEASE", "30s").env("DATABASE_URL", "postgresql://u:CANARY@h/d");
    let outcome = program.run(&["config", "show", "--log-level", "warn"]).await.expect(0);
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    let shown = outcome.report();
    let of = |key: &str, command: &str| {
        let row = row(&shown, key, command);
        let text = |key: &str| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned);
        format!("{} {} {} {}", text("value"), text("is_set"), text("source"), text("line"))
    };
    for (key, command, expected) in [
        ("schema", "", "clinic true file 1"),
        ("timeout", "", "3m true file 2"),
        ("timeout", "mark-no-shows", "2m true file 8"),
        ("lookback-days", "mark-no-shows", "3 true file 7"),
        ("lookback-days", "notify-cancellations", "7 true default null"),
        ("batch-rows", "prune", "50 true file 4"),
        ("lease", "prune", "30s true environment null"),
        ("log-level", "", "warn true flag null"),
        ("log-format", "", "text true default null"),
        ("ping-url", "", "null true file 3"),
        ("api-key", "sync-practiceq", "null true file 11"),
        ("database-url", "", "null true environment null"),
        ("database-url-file", "", "null false default null"),
    ] {
        assert_eq!(of(key, command), expected, "{key} {command}");
    }
    let text = program.run(&["config", "show", "mark-no-shows", "--set", "--output", "text"]).await.expect(0).stdout;
    assert!(!text.contains("CANARY") && !text.contains("api-key") && !text.contains("log-format"), "{text}");
    let line = |key: &str| text.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("no {key}: {text}"));
    assert!(line("lookback-days").contains("config.toml:7"), "{text}");
    assert!(line("batch-rows").contains("every job") && line("lease").contains("ROUNDS_LEASE"), "{text}");
    assert!(line("ping-url").contains("  set  "), "{text}");
    program.run(&["config", "show", "no-such"]).await.expect(2);
}
