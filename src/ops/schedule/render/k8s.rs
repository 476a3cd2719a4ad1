//! CronJobs of Kubernetes, the kustomization that lists them, and the ConfigMap with the schedule zone.

use std::collections::BTreeMap;

use super::needs::{Needs, needs};
use super::plan::{MARK, Plan, comments, interval_seconds, lines};
use crate::schedule::{Fields, ScheduledStart};

/// The time within which a start may be late, at most; Kubernetes gives up on a later one.
const LATE_MOST: u64 = 3540;

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
            "# These starts do not fit into the line of cron in {}.yaml.\n# Should both run at once, the second is skipped.\n",
            start.name
        ));
    }
    let needs = needs(start);
    let zone_label = if cadence.is_in_schedule_zone() { "    rounds.example/zone: schedule\n" } else { "" };
    let egress = if needs.https { "            rounds.example/egress: https\n" } else { "" };
    let interval = interval_seconds(start);
    let late = interval.saturating_sub(60).min(LATE_MOST);
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
        "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: rounds-{name}\n  labels:\n    \
         app.kubernetes.io/component: {}\n{zone_label}spec:\n  suspend: false\n  schedule: \"{line}\"\n  timeZone: {}\n  \
         startingDeadlineSeconds: {late}\n  jobTemplate:\n    spec:\n{why_long}      activeDeadlineSeconds: {active}\n\
         {backoff}      template:\n        metadata:\n          labels:\n            app.kubernetes.io/component: {}\n\
         {egress}        spec:\n          containers:\n            - name: rounds\n              args: [{}]\n",
        start.name,
        cadence.tz(plan.zone),
        start.name,
        start.command.iter().map(|word| scalar(word)).collect::<Vec<_>>().join(", "),
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
    let (mut env, mut mounts, mut volumes) = (String::new(), String::new(), String::new());
    for secret in start.secrets {
        let variable = secret.to_uppercase().replace('-', "_");
        let (volume, key) = secret.rsplit_once('-').unwrap_or((secret, "value"));
        env.push_str(&format!(
            "                - name: ROUNDS_{variable}_FILE\n                  value: /etc/rounds/{volume}/{key}\n"
        ));
        mounts.push_str(&format!(
            "                - name: {volume}\n                  mountPath: /etc/rounds/{volume}\n                  readOnly: \
             true\n"
        ));
        volumes.push_str(&format!(
            "            - name: {volume}\n              secret:\n                secretName: rounds-{volume}\n                \
             defaultMode: 0440\n"
        ));
    }
    let mut resources = String::new();
    if let (true, Some(disk)) = (needs.computes, needs.disk_gib) {
        resources = format!(
            "              # Measured: one to two processors for a minute a week.\n              resources:\n                \
             requests:\n                  cpu: 500m\n                  memory: 64Mi\n                  ephemeral-storage: \
             {}Gi\n                limits:\n                  cpu: \"2\"\n                  memory: {}Mi\n                  \
             ephemeral-storage: {disk}Gi\n",
            disk / 2,
            needs.memory_mib
        );
        mounts.push_str("                - name: download\n                  mountPath: /tmp\n");
        volumes.push_str(&format!(
            "            # The file at work, as a nameless temporary file, on disk and not in memory.\n            - name: \
             download\n              emptyDir:\n                sizeLimit: {disk}Gi\n"
        ));
    }
    let section = |head: &str, text: &str| if text.is_empty() { String::new() } else { format!("{head}{text}") };
    format!(
        "{resources}{}{}{}",
        section("              env:\n", &env),
        section("              volumeMounts:\n", &mounts),
        section("          volumes:\n", &volumes)
    )
}

fn kustomization(names: &[String], special: &[String]) -> String {
    let list = |names: &[String], before: &str| -> String {
        names.iter().map(|name| format!("  - {before}cronjobs/{name}.yaml\n")).collect()
    };
    format!(
        "{MARK}\n# The jobs, one CronJob each (and one more where a cadence needs two lines of cron). `rounds migrate` is \
         apart, in\n# ../migrate, so that applying this does not run it.\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: \
         Kustomization\n\nresources:\n  - configmap.yaml\n  - networkpolicy.yaml\n  - serviceaccount.yaml\n{}\npatches:\n  - \
         path: common.yaml\n    target:\n      kind: CronJob\n  # These differ from the common patch: their own files are laid \
         over it once more.\n{}\nlabels:\n  - pairs:\n      app.kubernetes.io/name: rounds\n    includeTemplates: true\n\n\
         images:\n  - name: rounds\n    newTag: {}\n",
        list(names, ""),
        list(special, "path: "),
        env!("CARGO_PKG_VERSION")
    )
}

fn config_map(plan: &Plan) -> String {
    let mut text = format!(
        "{MARK}\n# Settings of every job, as environment variables; docs/cli.md lists what there is.\napiVersion: v1\nkind: \
         ConfigMap\nmetadata:\n  name: rounds\ndata:\n"
    );
    if plan.schedule.is_default() {
        text.push_str(
            "  # The schedule zone. The CronJobs labelled rounds.example/zone=schedule have it as their timeZone, too: change \
             it in an\n  # overlay, which copies it there.\n",
        );
    }
    text.push_str(&format!(
        "  ROUNDS_SCHEDULE_ZONE: {}\n  ROUNDS_SOURCE: cron\n  ROUNDS_OUTPUT: json\n  ROUNDS_LOG_FORMAT: json\n  # Kubernetes \
         knows only success and failure. Failed items are in cron_job_run_errors, and health tells of them.\n  \
         ROUNDS_PARTIAL_OK: \"true\"\n",
        plan.zone
    ));
    if !plan.schedule.is_default() {
        text.push_str("  # The schedule itself: every job reads its deadline there, and health what is expected.\n");
        text.push_str("  ROUNDS_SCHEDULE: |2\n");
        for line in plan.schedule.text.lines() {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        }
    }
    text
}
