//! Awkward values in every column that takes them: no command that reads, and no dry run, panics.
//!
//! One clinic has a row in every table. For each column and each value that a person, an application or a fault could
//! leave in it, there is a copy of that row with this value, unless a constraint refuses it. Then each command of the
//! command line looks at all of it at once.

mod commands;

use std::collections::BTreeMap;

pub use crate::support::practiceq::NOW;
use crate::support::practiceq::Sync;
use crate::support::program::Outcome;
use crate::support::{Clinic, Program};

/// A row in every table.
const CLINIC: &str = include_str!("awkward/clinic.sql");
/// Copies of these rows, each with an awkward value. Makes the table `copies` (relation, tried, kept).
const COPIES: &str = include_str!("awkward/copies.sql");

/// Tables whose rows cannot be copied: one row alone may be there, or the key is made of others.
const NOT_COPIED: [&str; 12] = [
    "actor_rule",
    "database_identity",
    "notification_preferences",
    "npi_data",
    "organization_users",
    "practiceq_state",
    "rounds_schema",
    "schedule_flags",
    "surgical_case_statuses",
    "surgical_case_transitions",
    "team_members",
    "ticket_followers",
];

/// What is to be executed, and what became of it where that is wrong.
pub struct Trial {
    program: Program,
    wrong: Vec<String>,
    executed: usize,
}

impl Trial {
    /// Executes commands, some at a time, and looks at how each ends.
    pub async fn all(&mut self, commands: impl IntoIterator<Item = Vec<String>>) {
        let commands: Vec<Vec<String>> = commands.into_iter().collect();
        for some in commands.chunks(4) {
            let started = some.iter().map(|args| {
                let (program, args) = (self.program.clone(), args.clone());
                tokio::spawn(async move {
                    let outcome = program.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
                    (args, outcome)
                })
            });
            for ended in started.collect::<Vec<_>>() {
                let (args, outcome) = ended.await.expect("the program ends");
                self.executed += 1;
                if let Some(why) = fault(&outcome) {
                    let text = format!("{} {}", outcome.stdout, outcome.stderr);
                    let text = text.split_once("panic").map_or(&*text, |(_, after)| after);
                    let text: String = text.chars().take(600).collect();
                    self.wrong.push(format!("{why}: {}: exit {}: {text}", args.join(" "), outcome.code));
                }
            }
        }
    }
}

/// What is wrong with the end of a command.
fn fault(outcome: &Outcome) -> Option<&'static str> {
    let says = |word: &str| outcome.stdout.contains(word) || outcome.stderr.contains(word);
    if says("\"PANIC\"") || says("panic at") || says("panicked") || outcome.code == 101 {
        return Some("a panic");
    }
    match outcome.code {
        0 | 3 => None,
        1 | 2 if outcome.stderr.contains("ERROR") || outcome.stderr.contains("error:") => Some("one value stopped all"),
        // An answer that is no error: unhealthy, or a provider who is not active.
        1 | 2 if !outcome.stdout.is_empty() => None,
        1 | 2 => Some("no message"),
        _ => Some("an exit code that says nothing of it"),
    }
}

/// A clinic and an account with a row in every table.
async fn clinic() -> Sync {
    let sync = Sync::new().await;
    sync.clinic.sql(CLINIC).await;
    sync
}

/// How many copies of each table there are.
async fn copies(clinic: &Clinic) -> BTreeMap<String, i64> {
    let rows = clinic.rows("SELECT relation, kept FROM copies").await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn no_value_of_a_row_panics_a_command_or_stops_one() {
    let sync = clinic().await;
    sync.clinic.sql(COPIES).await;
    let copies = copies(&sync.clinic).await;
    for (relation, kept) in &copies {
        assert_eq!(*kept == 0, NOT_COPIED.contains(&relation.as_str()), "{relation}: {kept} copies");
    }
    let total: i64 = copies.values().sum();
    assert!(total > 1_000, "{total} awkward values are no test: {copies:?}");
    let mut trial = Trial { program: sync.clinic.program.clone(), wrong: vec![], executed: 0 };
    let place = tempfile::tempdir().expect("a place for files");
    trial.all(commands::all(&sync, place.path()).await).await;
    assert!(trial.wrong.is_empty(), "{} of {}: {:#?}", trial.wrong.len(), trial.executed, trial.wrong);
}

#[tokio::test]
async fn what_is_there_once_panics_nobody_either() {
    let sync = clinic().await;
    let mut trial = Trial { program: sync.clinic.program.clone(), wrong: vec![], executed: 0 };
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let lines = [
        "health",
        "runs list",
        "practiceq report",
        "sync-practiceq --dry-run",
        "advance-billing --stage paid --dry-run",
        "npi get 1000000004",
        "npi verify 1000000004",
    ];
    for (relation, column, values) in [
        ("rounds_schema", "min_binary_schema", &["2147483647"][..]),
        ("api_budgets", "blocked_until", &["infinity", "-infinity", "4713-01-01 BC"]),
        ("practiceq_state", "watermark", &["infinity", "-infinity", "4713-01-01 BC"]),
        ("practiceq_state", "sweep", &["9223372036854775807", "-9223372036854775808"]),
        ("practiceq_state", "sweep_pages", &["2147483647", "-2147483648"]),
        ("database_identity", "recorded_at", &["infinity", "-infinity"]),
        ("database_identity", "database_oid", &["9223372036854775807", "-1"]),
        ("database_identity", "timeline", &["2147483647", "-2147483648"]),
        ("npi_data", "deactivated_on", &["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"]),
        ("npi_data", "updated_on", &["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"]),
        ("npi_data", "replacement_npi", &["9223372036854775807", "-9223372036854775808"]),
        ("surgical_case_transitions", "min_dwell", &["178000000 years", "2147483647 days"]),
    ] {
        for value in values {
            let kept = format!("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM {relation}");
            sync.clinic.sql(&format!("{kept}; UPDATE {relation} SET {column} = '{value}'")).await;
            let before = trial.wrong.len();
            trial.all(lines.iter().map(|line| words(line))).await;
            // A schema that is ahead, another database or a limit that lasts may refuse all; a panic may not.
            let panics = trial.wrong.split_off(before).into_iter().filter(|wrong| !wrong.starts_with("one value"));
            let panics: Vec<String> = panics.map(|wrong| format!("{relation}.{column} = {value}: {wrong}")).collect();
            trial.wrong.extend(panics);
            sync.clinic.sql(&format!("UPDATE {relation} SET {column} = (SELECT {column} FROM kept LIMIT 1)")).await;
        }
    }
    assert!(trial.wrong.is_empty(), "{} of {}: {:#?}", trial.wrong.len(), trial.executed, trial.wrong);
}
