//! The files for schedulers, read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::calendar::{Times, cron, crontab, event_bridge, on_calendar};

/// A name of the table in a folder.
#[derive(Default)]
pub struct Entry {
    pub command: Vec<String>,
    pub times: Vec<Times>,
    /// In seconds: the job's own, or the one after which the scheduler ends it.
    pub deadline: u64,
    pub exact: bool,
    /// After how many seconds the scheduler ends it, where it does.
    pub outer: Option<u64>,
    /// Beside the database's address.
    pub secrets: Vec<String>,
}

/// The secrets of the default schedule, and the variable that holds the path of each.
const SECRETS: [(&str, &str); 4] = [
    ("practiceq-key", "ROUNDS_PRACTICEQ_KEY_FILE"),
    ("twilio-token", "ROUNDS_TWILIO_TOKEN_FILE"),
    ("smtp-password", "ROUNDS_SMTP_PASSWORD_FILE"),
    ("webhook-endpoints", "ROUNDS_WEBHOOK_ENDPOINTS"),
];

/// The secret whose path a variable holds.
fn secret_of(variable: &str) -> Option<String> {
    SECRETS.iter().find(|(_, known)| *known == variable).map(|(secret, _)| (*secret).to_owned())
}

/// The role of a command in the database.
fn role_of(command: &str) -> &str {
    if command == "health" { "watch" } else { command }
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a directory whose names end so, without that end.
fn names(dir: &Path, end: &str) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("UTF-8"));
    names.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

/// The values of a key of a unit, in order; an empty one forgets those before it.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let mut found = vec![];
    for value in unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')) {
        match value {
            "" => found.clear(),
            value => found.push(value),
        }
    }
    found
}

/// Timers and drop-ins, beside the template unit.
pub fn systemd(dir: &Path) -> BTreeMap<String, Entry> {
    let template = read("systemd/rounds@.service");
    let entry = |name: String| {
        let timer = read(dir.join(format!("rounds-{name}.timer")));
        assert_eq!(settings(&timer, "Unit"), [format!("rounds@{name}.service")], "{name}");
        assert_eq!(settings(&timer, "Persistent"), ["true"], "{name}");
        let own = dir.join(format!("rounds@{name}.service.d/10-job.conf"));
        let own = fs::read_to_string(own).unwrap_or_default();
        let unit = format!("{template}\n{own}").replace("%i", &name);
        let command = settings(&unit, "ExecStart");
        let [command] = command[..] else { panic!("{name}: one command: {command:?}") };
        let limit = settings(&unit, "TimeoutStartSec").pop().expect("a limit");
        let deadline = humantime::parse_duration(limit).expect("a time").as_secs();
        let credentials = settings(&unit, "LoadCredential");
        let url =
            format!("database-url:/etc/rounds/database-url.d/{}", role_of(command.split(' ').nth(1).expect("a job")));
        assert!(credentials.contains(&&*url), "{name}: {credentials:?}");
        let told = settings(&unit, "Environment").into_iter().flat_map(|line| line.split(' '));
        let secrets: Vec<String> = told.filter_map(|set| secret_of(set.split_once('=')?.0)).collect();
        for secret in &secrets {
            assert!(credentials.contains(&&*format!("{secret}:/etc/rounds/{secret}")), "{name}: {credentials:?}");
        }
        let command = command.split(' ').skip(1).map(str::to_owned).collect();
        let times = settings(&timer, "OnCalendar").into_iter().map(on_calendar).collect();
        (name, Entry { command, times, deadline, exact: false, outer: Some(deadline), secrets })
    };
    let timers = names(dir, ".timer").into_iter();
    timers.map(|timer| timer.strip_prefix("rounds-").expect("rounds-NAME.timer").to_owned()).map(entry).collect()
}

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).expect("YAML")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub fn k8s(base: &Path) -> BTreeMap<String, Entry> {
    let dir = base.join("cronjobs");
    let listed = read(base.join("kustomization.yaml"));
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for file in names(&dir, ".yaml") {
        assert!(listed.contains(&format!("cronjobs/{file}.yaml")), "{file} is no resource");
        let job = yaml(&read(dir.join(format!("{file}.yaml"))));
        assert_eq!((text(&job["kind"]), text(&job["metadata"]["name"])), ("CronJob", &*format!("rounds-{file}")));
        let name = text(&job["metadata"]["labels"]["app.kubernetes.io/component"]).to_owned();
        let spec = &job["spec"];
        let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let words = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|word| text(word).to_owned()).collect()
        };
        let env = container["env"].as_array().into_iter().flatten();
        let secrets: Vec<String> = env.filter_map(|env| secret_of(text(&env["name"]))).collect();
        for secret in &secrets {
            let (volume, _) = secret.rsplit_once('-').expect("VOLUME-KEY");
            let volumes = pod["volumes"].as_array().expect("volumes");
            assert!(volumes.iter().any(|one| one["secret"]["secretName"] == format!("rounds-{volume}")), "{file}");
        }
        let role = role_of(text(&container["args"][0]));
        assert_eq!(pod["volumes"][0]["secret"]["secretName"], format!("rounds-database-{role}"), "{file}");
        let deadline = spec["jobTemplate"]["spec"]["activeDeadlineSeconds"].as_u64().expect("seconds");
        let new = Entry {
            command: words(&container["args"]),
            times: vec![cron(text(&spec["schedule"]), text(&spec["timeZone"]))],
            deadline,
            exact: false,
            outer: Some(deadline),
            secrets,
        };
        assert_eq!(spec["suspend"], false, "{file}");
        match entries.get_mut(&name) {
            // Settings that one line cannot hold.
            Some(entry) => {
                assert_eq!((&entry.command, &entry.secrets), (&new.command, &new.secrets), "{file}");
                entry.times.extend(new.times);
                entry.deadline = entry.deadline.min(deadline);
            }
            None => drop(entries.insert(name, new)),
        }
    }
    entries
}

pub fn terraform(dir: &Path) -> BTreeMap<String, Entry> {
    let file: Value = hcl::from_str(&read(dir.join("schedules.tf"))).expect("HCL");
    let schedules = file["locals"]["schedules"].as_object().expect("a map of schedules");
    let entry = |(name, schedule): (&String, &Value)| {
        let words = |key: &str| -> Vec<String> {
            schedule[key].as_array().expect(key).iter().map(|word| text(word).to_owned()).collect()
        };
        let zone = match text(&schedule["timezone"]) {
            "${var.schedule_zone}" => super::ZONE,
            zone => zone,
        };
        let times = words("schedule_expressions").iter().map(|line| event_bridge(line, zone)).collect();
        let deadline = schedule["deadline_seconds"].as_u64().expect("seconds");
        let mut secrets = words("secrets");
        assert_eq!(secrets.remove(0), "database", "{name}");
        (name.clone(), Entry { command: words("command"), times, deadline, exact: true, outer: None, secrets })
    };
    schedules.iter().map(entry).collect()
}

/// A crontab on a machine in a zone. cron ends no job, and passes no deadline on.
pub fn machine(dir: &Path, zone: &str) -> BTreeMap<String, Entry> {
    let file = read(dir.join("rounds.crontab"));
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    let mut name = String::new();
    for line in file.lines() {
        if line.is_empty() {
            name.clear();
        } else if let Some(comment) = line.strip_prefix("# ").filter(|_| name.is_empty()) {
            name = comment.split_once(": ").map(|(name, _)| name.to_owned()).unwrap_or_default();
        } else if line.starts_with(|first: char| first == '*' || first.is_ascii_digit()) {
            let (times, command) = crontab(line, zone);
            let entry = entries.entry(name.clone()).or_default();
            entry.times.push(times);
            let quiet = " 2>&1) || printf '\\%s\\n' \"$out\"";
            let command = command.strip_prefix("out=$(").and_then(|rest| rest.strip_suffix(quiet));
            let command = command.unwrap_or_else(|| panic!("a success is mailed: {line}"));
            let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            entry.secrets = vec![];
            let url = words.remove(0);
            let role = url.strip_prefix("DATABASE_URL_FILE=/etc/rounds/database-url.d/").expect("a role");
            while let Some(secret) = words[0].split_once('=').and_then(|(variable, _)| secret_of(variable)) {
                entry.secrets.push(secret);
                words.remove(0);
            }
            assert_eq!(words.remove(0), "rounds", "{line}");
            assert_eq!(role, role_of(&words[0]), "{line}");
            entry.command = words;
            entry.deadline = u64::MAX;
        }
    }
    entries
}
