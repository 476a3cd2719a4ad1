//! Three schedulers, one truth: what `rounds schedule` says, and what systemd/, k8s/ and terraform/ say in their own
//! words.

mod calendar;
mod folders;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Program;
use calendar::starts;
use folders::{Entry, k8s, systemd, terraform};

/// How many of the next starts are compared.
const STARTS: usize = 50;
/// Before, through and after both clock changes in New York and in Denver.
const FROM: [&str; 6] = [
    "2026-03-01T00:00:00Z",
    "2026-03-08T04:00:00Z",
    "2026-03-08T11:30:00Z",
    "2026-07-01T09:07:00Z",
    "2026-11-01T03:00:00Z",
    "2026-11-01T10:30:00Z",
];
/// The zone of the examples.
const ZONE: &str = "America/New_York";

/// A row of the table, as the program tells it.
struct Row {
    command: Vec<String>,
    deadline: u64,
    secrets: Vec<String>,
    next: Vec<String>,
}

/// The table at an instant; without what EventBridge alone starts, where that is not asked for.
async fn table(from: &str, stand_ins: bool) -> BTreeMap<String, Row> {
    let next = STARTS.to_string();
    let args = ["schedule", "--schedule-zone", ZONE, "--as-of", from, "--next", &next, "--output", "json"];
    let said = Program::new("").without("DATABASE_URL").run(&args).await.expect(0).report();
    let rows = said["schedule"].as_array().expect("rows").iter();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().expect("a list").iter().map(|text| text.as_str().expect("text").to_owned()).collect()
    };
    rows.filter(|row| stand_ins || row["only"].is_null())
        .map(|row| {
            let name = row["name"].as_str().expect("a name").to_owned();
            let deadline = row["deadline_seconds"].as_u64().expect("seconds");
            let [command, secrets, next] = ["command", "secrets", "next"].map(|key| texts(&row[key]));
            (name, Row { command, deadline, secrets, next })
        })
        .collect()
}

/// Fails unless a folder says what the table says.
async fn compare(folder: &str, entries: &BTreeMap<String, Entry>, stand_ins: bool) {
    for from in FROM {
        let table = table(from, stand_ins).await;
        let names: Vec<&String> = table.keys().collect();
        assert_eq!(entries.keys().collect::<Vec<_>>(), names, "{folder}: every one, and none else");
        for (name, row) in &table {
            let entry = &entries[name];
            assert_eq!(entry.command, row.command, "{folder}: {name}: its command");
            assert_eq!(entry.secrets, row.secrets, "{folder}: {name}: its secrets");
            let told = starts(&entry.times, from.parse().expect("an instant"), STARTS);
            assert_eq!(told, row.next, "{folder}: {name}: when it is started from {from} on");
            match entry.exact {
                true => assert_eq!(entry.deadline, row.deadline, "{folder}: {name}: its deadline"),
                false => {
                    assert!(entry.deadline > row.deadline, "{folder}: {name}: ended before it ends itself");
                }
            }
        }
    }
    // The first load of the registry gives itself four hours.
    assert!(entries["refresh-npi"].outer.is_none_or(|outer| outer > 4 * 3600), "{folder}: the first load");
}

#[tokio::test]
async fn the_timers_of_systemd_are_the_table() {
    compare("systemd", &systemd(), false).await;
}

#[tokio::test]
async fn the_cron_jobs_of_kubernetes_are_the_table() {
    compare("k8s", &k8s(), false).await;
}

#[tokio::test]
async fn the_schedules_of_terraform_are_the_table() {
    compare("terraform", &terraform(), true).await;
}

/// One name everywhere: a job that is in the table can be started as the table says.
#[tokio::test]
async fn every_command_of_the_table_can_be_given() {
    for (name, row) in table(FROM[0], true).await {
        let command: Vec<&str> = row.command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = Program::new("").run(&command).await.expect(0).stdout;
        assert!(help.contains("Usage: rounds"), "{name}: {help}");
    }
}

#[tokio::test]
async fn the_plan_is_told_without_a_database() {
    let nowhere = Program::new("").without("DATABASE_URL");
    let args = ["schedule", "--schedule-zone", ZONE, "--as-of", "2026-03-08T04:00:00Z", "--output", "text"];
    insta::assert_snapshot!("schedule", nowhere.run(&args).await.expect(0).stdout);
    nowhere.run(&["schedule", "--next", "0"]).await.expect(2);
}
