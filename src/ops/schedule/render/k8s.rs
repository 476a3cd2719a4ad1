//! CronJobs of Kubernetes, the kustomization that lists them, and the ConfigMap with the schedule zone.

use std::collections::BTreeMap;

use super::needs::{Needs, needs, role};
use super::plan::{MARK, Plan, comments, interval_seconds, lines, secret_variable};
use crate::schedule::{Fields, ScheduledStart};

/// The time within which a start may be late, at most; Kubernetes gives up on a later one.
const LATE_MOST: u64 = 3540;
/// The controller looks every ten seconds: with less than that a start may never be.
const LATE_LEAST: u64 = 50;

pub fn files(plan: &Plan) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    // The names of the CronJobs, and of those that differ from the common patch.
    let (mut names, mut special) = (vec![], vec![]);
    for start in plan.own_starts() {
        for (line, name) in named(start) {
            if start.job.is_none() || needs(start).computes {
                special.push(name.clone());
            }
            files.insert(format!("cronjobs/{name}.yaml"), cron_job(start, line, &name, plan));
            names.push(name);
        }
    }
    names.sort_unstable();
    special.sort_unstable();
    files.insert("kustomization.yaml".to_owned(), kustomization(&names, &special));
    files.insert("configmap.yaml".to_owned(), config_map(plan));
    files
}

/// A CronJob has one line. The one with the most starts has the name of the schedule, those around it `-first` and
/// `-last`.
fn named(start: &ScheduledStart) -> Vec<(Fields, String)> {
    let lines = lines(start);
    let starts = |line: &Fields| line.times().count();
    let most = lines.iter().map(starts).max().unwrap_or(0);
    let main = lines.iter().position(|line| starts(line) == most).unwrap_or(0);
    let end = |number: usize| match number.cmp(&main) {
        std::cmp::Ordering::Less => "-first",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "-last",
    };
    let name = |number: usize| format!("{}{}", start.name, end(number));
    lines.iter().enumerate().map(|(number, line)| (*line, name(number))).collect()
}

fn cron_job(start: &ScheduledStart, line: Fields, name: &str, plan: &Plan) -> String {
    let cadence = start.cadences[0];
    let mut text = format!("{MARK}\n# {}: {cadence}.\n", start.name);
    comments(start).iter().for_each(|comment| text.push_str(&format!("# {comment}\n")));
    if name != start.name {
        text.push_str(&format!(
            "# These starts do not fit into the line of cron in {}.yaml.\n\
             # Should both run at once, the second is skipped.\n",
            start.name
        ));
    }
    let needs = needs(start);
    let zone_label = if cadence.is_in_schedule_zone() { "    rounds.example/zone: schedule\n" } else { "" };
    let egress =
        needs.way_out.map_or(String::new(), |way| format!("            rounds.example/egress: {}\n", way.label()));
    let interval = interval_seconds(start);
    let late = interval.saturating_sub(60).clamp(LATE_LEAST, LATE_MOST);
    let deadline = start.deadline.as_secs();
    let (why_long, active) = match needs.longest {
        Some(longest) => {
            ("      # A long load gives itself hours; any other run ends itself before.\n", longest.as_secs() + 600)
        }
        None => ("", (deadline + 120).min(interval.saturating_sub(10)).max(deadline + 30)),
    };
    let backoff = match start.job {
        Some(_) => "",
        None => {
            "      # Exit code 1 is its answer here. To ask again at once brings the same one.\n      backoffLimit: 0\n"
        }
    };
    text.push_str(&format!(
        include_str!("cronjob.yaml"),
        name = name,
        start = start.name,
        zone_label = zone_label,
        schedule = line,
        late = late,
        why_long = why_long,
        active = active,
        backoff = backoff,
        egress = egress,
        zone = cadence.tz(plan.zone),
        args = start.command.iter().map(|word| scalar(word)).collect::<Vec<_>>().join(", "),
    ));
    text.push_str(&pod(start, &needs));
    text
}

/// A word of a list. One that YAML might take for something else is in quotes.
fn scalar(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-./_=".contains(c))
        && word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&&*word.to_lowercase());
    // 6h, 10m: no number, as a letter ends it.
    let is_duration = word.strip_suffix(['d', 'h', 'm', 's']).is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()));
    if is_plain || (is_duration && word.len() > 1) { word.to_owned() } else { format!("\"{word}\"") }
}

/// What the container needs beside what all need, and its volumes.
fn pod(start: &ScheduledStart, needs: &Needs) -> String {
    let (mut env, mut mounts) = (vec![], vec![]);
    let mut volumes = vec!["- name: database".to_owned(), "  secret:".to_owned()];
    volumes.extend([format!("    secretName: rounds-database-{}", role(start)), "    defaultMode: 0440".to_owned()]);
    for secret in start.secrets {
        let variable = secret_variable(secret);
        let (volume, key) = secret.rsplit_once('-').unwrap_or((secret, "value"));
        env.extend([format!("- name: {variable}"), format!("  value: /etc/rounds/{volume}/{key}")]);
        let mount = format!("  mountPath: /etc/rounds/{volume}");
        mounts.extend([format!("- name: {volume}"), mount, "  readOnly: true".to_owned()]);
        volumes.extend([format!("- name: {volume}"), "  secret:".to_owned()]);
        volumes.extend([format!("    secretName: rounds-{volume}"), "    defaultMode: 0440".to_owned()]);
    }
    let mut resources = String::new();
    if let Some(disk) = needs.disk_gib {
        let (half, memory) = (disk / 2, needs.memory_mib);
        resources = format!(include_str!("cronjob_resources.yaml"), half = half, memory = memory, disk = disk);
        mounts.extend(["- name: download", "  mountPath: /tmp"].map(str::to_owned));
        volumes.push("# The file at work, as a nameless temporary file, on disk and not in memory.".to_owned());
        volumes.extend(["- name: download", "  emptyDir:"].map(str::to_owned));
        volumes.push(format!("    sizeLimit: {disk}Gi"));
    }
    let section = |head: &str, indent: usize, lines: &[String]| -> String {
        let head = (!lines.is_empty()).then(|| format!("{:indent$}{head}:\n", ""));
        let lines = lines.iter().map(|line| format!("{:indent$}  {line}\n", ""));
        head.into_iter().chain(lines).collect()
    };
    let [env, mounts] = [section("env", 14, &env), section("volumeMounts", 14, &mounts)];
    format!("{resources}{env}{mounts}{}", section("volumes", 10, &volumes))
}

fn kustomization(names: &[String], special: &[String]) -> String {
    let list = |names: &[String], before: &str| -> String {
        names.iter().map(|name| format!("  - {before}cronjobs/{name}.yaml\n")).collect()
    };
    let [resources, patches] = [list(names, ""), list(special, "path: ")];
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(include_str!("kustomization.yaml"), resources = resources, patches = patches, version = version);
    format!("{MARK}\n{text}")
}

fn config_map(plan: &Plan) -> String {
    let (mut about_zone, mut own) = (String::new(), String::new());
    if plan.schedule.is_default() {
        about_zone.push_str(
            "  # The schedule zone. The CronJobs labelled rounds.example/zone=schedule have it as their timeZone,\n  \
             # too: change it in an overlay, which copies it there.\n",
        );
    } else {
        own.push_str("  # The schedule itself: every job reads its deadline there, and health what is expected.\n");
        own.push_str("  ROUNDS_SCHEDULE: |2\n");
        for line in plan.schedule.text.lines() {
            own.push_str(format!("    {line}").trim_end());
            own.push('\n');
        }
    }
    let text = format!(include_str!("configmap.yaml"), about_zone = about_zone, zone = plan.zone, own = own);
    format!("{MARK}\n{text}")
}
