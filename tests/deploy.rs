//! Four schedulers, one truth: what `rounds schedule` says, and what is rendered from it in the words of each, read
//! back.

mod calendar;
mod drift;
mod folders;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Program;
use calendar::starts;
use folders::{Entry, k8s, machine, systemd, terraform};

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

/// A schedule, and what is compared of it.
struct Case {
    program: Program,
    /// Arguments of `rounds schedule`, or of its sub-command.
    zone: &'static [&'static str],
    from: &'static [&'static str],
    starts: usize,
}

/// The default schedule in the zone of the examples.
fn default() -> Case {
    let zone = &["--schedule-zone", ZONE];
    Case { program: Program::new("").without("DATABASE_URL"), zone, from: &FROM, starts: STARTS }
}

impl Case {
    /// The table at an instant; without what EventBridge alone starts, where that is not asked for.
    async fn table(&self, from: &str, stand_ins: bool) -> BTreeMap<String, Row> {
        let next = self.starts.to_string();
        let args = [&["schedule", "--as-of", from, "--next", &next, "--output", "json"], self.zone].concat();
        let said = self.program.run(&args).await.expect(0).report();
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

    /// Fails unless the files of a target say what the table says.
    async fn compare(&self, target: &str, entries: &BTreeMap<String, Entry>, stand_ins: bool) {
        for from in self.from {
            let table = self.table(from, stand_ins).await;
            let names: Vec<&String> = table.keys().collect();
            assert_eq!(entries.keys().collect::<Vec<_>>(), names, "{target}: every one, and none else");
            for (name, row) in &table {
                let entry = &entries[name];
                assert_eq!(entry.command, row.command, "{target}: {name}: its command");
                assert_eq!(entry.secrets, row.secrets, "{target}: {name}: its secrets");
                let told = starts(&entry.times, from.parse().expect("an instant"), self.starts);
                assert_eq!(told, row.next, "{target}: {name}: when it is started from {from} on");
                match entry.exact {
                    true => assert_eq!(entry.deadline, row.deadline, "{target}: {name}: its deadline"),
                    false => {
                        assert!(entry.deadline > row.deadline, "{target}: {name}: ended before it ends itself");
                    }
                }
            }
        }
    }

    /// Renders for a target into a directory.
    async fn render(&self, target: &str, dir: &Path, more: &[&str]) -> Value {
        let dir = dir.to_str().expect("UTF-8");
        let args = [&["schedule", "render", "--to", target, dir], self.zone, more].concat();
        self.program.run(&args).await.expect(0).report()
    }
}

/// Where the repository has what is rendered for a target.
const FOLDERS: [(&str, &str); 3] = [("systemd", "systemd"), ("k8s", "k8s/base"), ("terraform", "terraform")];

#[tokio::test]
async fn the_timers_of_systemd_are_the_table() {
    let entries = systemd(Path::new("systemd"));
    default().compare("systemd", &entries, false).await;
    // The first load of the registry gives itself four hours.
    assert!(entries["refresh-npi"].outer.is_some_and(|outer| outer > 4 * 3600));
}

#[tokio::test]
async fn the_cron_jobs_of_kubernetes_are_the_table() {
    let entries = k8s(Path::new("k8s/base"));
    default().compare("k8s", &entries, false).await;
    assert!(entries["refresh-npi"].outer.is_some_and(|outer| outer > 4 * 3600));
}

#[tokio::test]
async fn the_schedules_of_terraform_are_the_table() {
    default().compare("terraform", &terraform(Path::new("terraform")), true).await;
}

/// On machines in the schedule zone, in UTC, in a zone of half an hour, and in one whose clocks change at other times.
#[tokio::test]
async fn the_crontab_is_the_table_whatever_the_clock_of_the_machine() {
    for zone in [ZONE, "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin"] {
        let dir = tempfile::tempdir().expect("a directory");
        default().render("crontab", dir.path(), &["--machine-zone", zone]).await;
        default().compare(zone, &machine(dir.path(), zone), false).await;
    }
}

/// The three folders of the repository are what is rendered from the default schedule, byte for byte. With
/// ROUNDS_UPDATE_DOCS=1 they are written.
#[tokio::test]
async fn the_folders_are_rendered() {
    for (target, folder) in FOLDERS {
        if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
            default().render(target, Path::new(folder), &[]).await;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let report = default().render(target, dir.path(), &[]).await;
        let written: Vec<&str> = report["written"].as_array().expect("a list").iter().flat_map(Value::as_str).collect();
        for name in &written {
            let [ours, rendered] = [Path::new(folder), dir.path()].map(|dir| fs::read_to_string(dir.join(name)));
            let ours = ours.unwrap_or_else(|error| panic!("{folder}/{name}: {error}; `make docs` writes it"));
            assert_eq!(ours, rendered.expect("it was written"), "{folder}/{name}: `make docs` writes it");
        }
        // None that a job left behind.
        let again = default().render(target, dir.path(), &[]).await;
        assert_eq!(again["removed"], json!([]));
        for name in rendered_in(Path::new(folder)) {
            assert!(written.contains(&&*name), "{folder}/{name} is of no job: `make docs` takes it away");
        }
    }
}

/// The files below a directory that say that they are rendered.
fn rendered_in(dir: &Path) -> Vec<String> {
    let list = |dir: &Path| fs::read_dir(dir).expect("a directory").map(|file| file.expect("readable").path());
    let all = list(dir).flat_map(|path| if path.is_dir() { list(&path).collect() } else { vec![path] });
    let rendered = all.filter(|path| {
        path.is_file() && fs::read_to_string(path).is_ok_and(|text| text.starts_with("# Rendered by `rounds schedule"))
    });
    rendered.map(|path| path.strip_prefix(dir).expect("below").to_str().expect("UTF-8").to_owned()).collect()
}

/// A schedule of one's own.
const OWN: &str = include_str!("data/schedule.toml");

#[tokio::test]
async fn the_next_500_starts_of_a_file_are_the_same_in_all_four_renderings() {
    let program = Program::new("").without("DATABASE_URL").env("ROUNDS_SCHEDULE", OWN);
    // Before the clock changes of Adelaide, St. John's and Berlin; 500 starts of the frequent job are ten days.
    let from: &[&str] =
        &["2026-03-05T00:00:00Z", "2026-03-27T00:00:00Z", "2026-10-01T00:00:00Z", "2026-10-23T00:00:00Z"];
    let case = Case { program, zone: &[], from, starts: 500 };
    let dir = tempfile::tempdir().expect("a directory");
    for target in ["systemd", "k8s", "terraform", "crontab"] {
        case.render(target, &dir.path().join(target), &["--machine-zone", "Europe/Berlin"]).await;
    }
    case.compare("systemd", &systemd(&dir.path().join("systemd")), false).await;
    case.compare("k8s", &k8s(&dir.path().join("k8s")), false).await;
    case.compare("terraform", &terraform(&dir.path().join("terraform")), true).await;
    case.compare("crontab", &machine(&dir.path().join("crontab"), "Europe/Berlin"), false).await;
    // What starts a job also tells it the schedule.
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let map: Value = serde_yaml_ng::from_str(&text("k8s/configmap.yaml")).expect("YAML");
    assert_eq!(map["data"]["ROUNDS_SCHEDULE"], OWN);
    assert_eq!(map["data"]["ROUNDS_SCHEDULE_ZONE"], "Australia/Adelaide");
    let map: Value = hcl::from_str(&text("terraform/schedules.tf")).expect("HCL");
    let escaped = OWN.replace("${", "$${").replace("%{", "%%{");
    let told = map["locals"]["schedule_environment"]["ROUNDS_SCHEDULE"].as_str().expect("a text");
    assert!(told == escaped || told == OWN, "{told}");
    assert!(text("systemd/rounds@.service.d/10-schedule.conf").contains("ROUNDS_SCHEDULE=/etc/rounds/schedule.toml"));
    assert!(text("crontab/rounds.crontab").contains("\nROUNDS_SCHEDULE=/etc/rounds/schedule.toml\n"));
}

#[tokio::test]
async fn a_rendering_takes_away_what_it_wrote_before_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let [mine, other] = ["rounds-mine.timer", "README"].map(|name| dir.path().join(name));
    fs::write(&mine, "[Timer]\n").and_then(|()| fs::write(&other, "hello\n")).expect("files");
    default().render("systemd", dir.path(), &[]).await;
    let own = Case { program: default().program.env("ROUNDS_SCHEDULE", OWN), zone: &[], ..default() };
    let report = own.render("systemd", dir.path(), &[]).await;
    let removed: Vec<&str> = report["removed"].as_array().expect("a list").iter().flat_map(Value::as_str).collect();
    assert!(removed.contains(&"rounds-escalate-sla.timer"), "{report}");
    assert!(removed.contains(&"rounds@refresh-npi.service.d/10-job.conf"), "{report}");
    assert!(!dir.path().join("rounds@refresh-npi.service.d").exists() && mine.exists() && other.exists());
    // A file of a person is not replaced, and then nothing is.
    fs::write(dir.path().join("rounds-prune.timer"), "[Timer]\n").expect("a file");
    let path = dir.path().to_str().expect("UTF-8");
    let refused = default().program.run(&["schedule", "render", "--to", "systemd", path]).await.expect(2);
    assert!(refused.stderr.contains("rounds-prune.timer: was not written by"), "{}", refused.stderr);
    assert!(!dir.path().join("rounds-escalate-sla.timer").exists(), "nothing was written");
}

/// One name everywhere: a job that is in the table can be started as the table says.
#[tokio::test]
async fn every_command_of_the_table_can_be_given() {
    for (name, row) in default().table(FROM[0], true).await {
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

#[tokio::test]
async fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let names = default().render("crontab", dir.path(), &["--machine-zone", "UTC"]).await["written"].clone();
    let path = dir.path().join(names[0].as_str().expect("a name"));
    // Whoever has the old file open reads the old one to its end.
    let kept = dir.path().join("kept");
    fs::hard_link(&path, &kept).expect("a link");
    default().render("crontab", dir.path(), &["--machine-zone", "America/Denver"]).await;
    let [old, new] = [&kept, &path].map(|path| fs::read_to_string(path).expect("a file"));
    assert!(old.contains("UTC") && new != old, "{old}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2);
}
