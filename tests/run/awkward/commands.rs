//! The commands that are tried: every one of the command line, or the word why not.

use std::collections::BTreeSet;
use std::path::Path;

use super::NOW;
use crate::support::nppes::{Provider, week};
use crate::support::practiceq::Sync;

/// The command line: the test of `docs/cli.md` compares it with the program.
const CLI: &str = include_str!("../../../docs/cli.md");

/// The admin of all facilities.
const ADMIN: &str = "4";

/// What is executed of each command. `ACTOR`, `FILE` and `NPI` are replaced; of the table after
/// `EACH:` the first id takes its place, and every fifth after it.
const TRIED: [(&str, &[&str]); 35] = [
    ("mark-no-shows", &["--dry-run --list 500 --as-of NOW", "--explain EACH:appointments"]),
    ("stage-alerts", &["--dry-run --list 500 --as-of NOW", "--explain EACH:appointments"]),
    ("notify-cancellations", &["--dry-run --list 500 --as-of NOW", "--explain EACH:appointments"]),
    ("apply-absences", &["--dry-run --list 500 --as-of NOW", "--explain EACH:appointments"]),
    ("flag-schedule-conflicts", &["--dry-run --list 500 --as-of NOW", "--explain EACH:appointments"]),
    ("absences show", &["EACH:doctor_absences"]),
    ("absences preview", &["EACH:doctor_absences"]),
    ("escalate-sla", &["--dry-run --list 500 --as-of NOW", "--explain EACH:px_cases --re-escalate-after 1h"]),
    ("monitor-ticket-sla", &["--dry-run --list 500 --as-of NOW", "--explain EACH:tickets"]),
    ("escalate-tickets", &["--dry-run --list 500 --as-of NOW", "--explain EACH:tickets"]),
    (
        "advance-billing",
        &["--stage pending-payment --dry-run --list 500 --as-of NOW", "--explain EACH:surgical_cases --min-dwell 1h"],
    ),
    ("refresh-npi", &["--dry-run --file FILE"]),
    (
        "sync-practiceq",
        &["--dry-run --as-of NOW", "--dry-run --incremental --as-of NOW", "--dry-run --inbox --as-of NOW"],
    ),
    ("deliver-notifications", &["--channel sms --dry-run", "--channel email --dry-run", "--channel webhook --dry-run"]),
    ("prune", &["--dry-run"]),
    ("no-show logs", &["--limit 10000", "--output text --limit 10000"]),
    ("no-show stats", &["", "--output text", "--from 2026-01-01 --to 2026-12-31"]),
    (
        "alerts list",
        &[
            "--limit 10000 --all",
            "--limit 10000 --all --output text",
            "--all --reveal --actor ACTOR --limit 10000",
            "--reveal --actor ACTOR --shape no-show-alerts --limit 10000",
        ],
    ),
    ("escalation-rules check", &["", "--output text"]),
    ("check", &["", "--output text"]),
    ("health", &["", "--output text", "--since 30d", "mark-no-shows --shape cron-health"]),
    ("runs list", &["--limit 10000", "--limit 10000 --output text"]),
    ("runs show", &["EACH:cron_job_runs", "latest --output text"]),
    ("npi search", &["Stone", "S --limit 1000 --output text", "Stone --facility"]),
    ("npi get", &["NPI"]),
    ("npi verify", &["NPI"]),
    (
        "practiceq unmatched list",
        &["--all --limit 10000", "--all --limit 10000 --output text", "--all --reveal --actor ACTOR --limit 10000"],
    ),
    ("practiceq patients list", &["--limit 10000", "--limit 10000 --output text"]),
    ("notifications list", &["--limit 10000", "--limit 10000 --output text"]),
    ("notifications show", &["EACH:notifications"]),
    ("actors list", &["", "--output text"]),
    ("practiceq clients list", &["--limit 10000", "--limit 10000 --output text", "--patient 1"]),
    (
        "practiceq visits",
        &[
            "--organization 1 --limit 10000 --as-of NOW",
            "--organization 1 --limit 10000 --as-of NOW --output text --without-link",
            "--organization 1 --limit 10000 --as-of NOW --reveal --actor ACTOR",
        ],
    ),
    ("practiceq report", &["", "--output text"]),
    ("grants", &["mark-no-shows"]),
];

/// The commands that change something, or read no row.
const NOT_TRIED: [&str; 25] = [
    "schedule render",
    "schedule check",
    "adopt",
    "pause",
    "no-show mark",
    "no-show undo",
    "alerts acknowledge",
    "alerts resolve",
    "resume",
    "practiceq unmatched link",
    "practiceq unmatched ignore",
    "practiceq unmatched reopen",
    "practiceq clients unlink",
    "practiceq patients skip",
    "practiceq patients unskip",
    "notifications settle",
    "notifications retry",
    "notifications test",
    "actors bind",
    "actors unbind",
    "actors require",
    "migrate",
    "completions",
    "man",
    "demo",
];

/// The commands of the command line that have no commands below them.
fn leaves() -> BTreeSet<&'static str> {
    let all: BTreeSet<&str> = CLI.lines().filter_map(|line| line.strip_prefix("## rounds ")).collect();
    let is_leaf = |name: &&&str| !all.iter().any(|other| other.starts_with(&format!("{name} ")));
    all.iter().filter(is_leaf).copied().collect()
}

/// All command lines.
pub async fn all(sync: &Sync, files: &Path) -> Vec<Vec<String>> {
    let known: BTreeSet<&str> = TRIED.iter().map(|(name, _)| *name).chain(NOT_TRIED).collect();
    assert_eq!(leaves(), known, "a command is neither tried nor named as one that is not");
    let pfile = week(1).of(&[Provider::individual(1, "STONE", "ADA")]);
    let file = files.join(pfile.csv_name());
    std::fs::write(&file, pfile.csv()).expect("can be written");

    let mut lines = vec![];
    for (name, tried) in TRIED {
        for args in tried {
            let line = format!("{name} {args}").replace("ACTOR", ADMIN).replace("NPI", "1000000004");
            let line = line.replace("NOW", NOW).replace("FILE", file.to_str().expect("UTF-8"));
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match words.iter().position(|word| word.starts_with("EACH:")) {
                Some(at) => lines.extend(each(sync, &words, at).await),
                None => lines.push(words),
            }
        }
    }
    lines
}

/// The line with each id of the table that its word at a place names.
async fn each(sync: &Sync, words: &[String], at: usize) -> Vec<Vec<String>> {
    let table = words[at].trim_start_matches("EACH:");
    let ids = sync.clinic.rows(&format!("SELECT id::text FROM {table} WHERE id::text NOT LIKE '-%' ORDER BY id")).await;
    let with = |id: String| [&words[..at], &[id], &words[at + 1..]].concat();
    ids.iter().step_by(5).map(|row| with(row.get(0))).collect()
}
