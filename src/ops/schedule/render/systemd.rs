//! Timers of systemd, and drop-ins of the template unit `rounds@.service`.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::needs::{needs, role};
use super::plan::{MARK, OWN, Plan, comments, lines, secret_variable};
use crate::schedule::{Fields, ScheduledStart, Set};

/// The time limit of the template unit, in seconds.
const USUAL_LIMIT: u64 = 300;
/// The time that a job has to end itself before systemd does, in seconds.
const MARGIN: u64 = 60;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

pub fn files(plan: &Plan) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for start in plan.own_starts() {
        files.insert(format!("rounds-{}.timer", start.name), timer(start, plan));
        if let Some(drop_in) = drop_in(start, plan) {
            files.insert(format!("rounds@{}.service.d/10-job.conf", start.name), drop_in);
        }
    }
    if !plan.schedule.is_default() {
        let text = format!(
            "{MARK}\n\
             # Every job reads its deadline there, and health what is expected: install the schedule itself with\n\
             # `install -m 644 schedule.toml {OWN}`.\n[Service]\nEnvironment=ROUNDS_SCHEDULE={OWN}\n"
        );
        files.insert("rounds@.service.d/10-schedule.conf".to_owned(), text);
    }
    files
}

fn timer(start: &ScheduledStart, plan: &Plan) -> String {
    let cadence = start.cadences[0];
    let mut text = format!(
        "{MARK}\n[Unit]\nDescription=rounds {}, {cadence}\nPartOf=rounds.target\n\n[Timer]\nUnit=rounds@{}.service\n",
        start.name, start.name
    );
    let mut comments = comments(start);
    if cadence.is_in_schedule_zone() && plan.schedule.is_default() {
        comments.push("The schedule zone: rounds-schedule-zone puts another in its place.".to_owned());
    }
    comments.iter().for_each(|comment| text.push_str(&format!("# {comment}\n")));
    for line in lines(start) {
        text.push_str(&format!("OnCalendar={} {}\n", on_calendar(line), cadence.tz(plan.zone)));
    }
    // The starts of a minute are spread a little, and the frequent ones less.
    let (delay, accuracy) = match cadence.interval() {
        minutes if minutes < TimeDelta::minutes(5) => ("5s", "1s"),
        short if short < TimeDelta::minutes(10) => ("15s", "5s"),
        hourly if hourly <= TimeDelta::hours(1) => ("30s", "10s"),
        _ => ("1min", "30s"),
    };
    text.push_str(&format!(
        "Persistent=true\nRandomizedDelaySec={delay}\nAccuracySec={accuracy}\n\n[Install]\nWantedBy=rounds.target\n"
    ));
    text
}

/// What differs from the template unit.
fn drop_in(start: &ScheduledStart, plan: &Plan) -> Option<String> {
    let needs = needs(start);
    let mut lines = vec![];
    let command = start.command.join(" ");
    if command != start.name {
        lines.push(format!("ExecStart=\nExecStart=rounds {command}"));
    }
    let limit = needs.longest.unwrap_or(start.deadline).max(start.deadline).as_secs() + MARGIN;
    if limit != USUAL_LIMIT {
        if needs.longest.is_some() {
            lines.push("# A long load may take hours; any other run ends itself at the deadline.".to_owned());
        }
        lines.push(format!("TimeoutStartSec={}", seconds(limit)));
    }
    if needs.computes {
        lines.push(format!("MemoryMax={}M\nCPUQuota=200%", needs.memory_mib));
    }
    if needs.disk_gib.is_some() {
        lines.push(
            "# A file of a gigabyte comes here, and /tmp may be in memory.\nEnvironment=TMPDIR=/var/tmp".to_owned(),
        );
    }
    let role = role(start);
    if role != start.name {
        lines.push(format!("LoadCredential=\nLoadCredential=database-url:/etc/rounds/database-url.d/{role}"));
    }
    for secret in start.secrets {
        lines.push(format!("LoadCredential={secret}:/etc/rounds/{secret}"));
        lines.push(format!("Environment={}=%d/{secret}", secret_variable(secret)));
    }
    let mut head = String::new();
    if start.job.is_none() {
        let zone = plan.zone;
        head =
            "# Exits 1 as long as a job is not on time, so /etc/rounds/on-failure is called every five minutes until \
                all are.\n"
                .to_owned();
        lines.push(format!(
            "# The zone of the timers: rounds-schedule-zone writes it with them.\n\
             Environment=ROUNDS_SCHEDULE_ZONE={zone}"
        ));
    }
    (!lines.is_empty()).then(|| format!("{MARK}\n{head}[Service]\n{}\n", lines.join("\n")))
}

fn seconds(seconds: u64) -> String {
    if seconds.is_multiple_of(60) { format!("{}min", seconds / 60) } else { format!("{seconds}s") }
}

/// The weekdays, if not all, then year-month-day hour:minute.
fn on_calendar(line: Fields) -> String {
    let Fields { minutes, hours, days, months, weekdays } = line;
    let names: Vec<&str> = weekdays.values().map(|day| WEEKDAYS[day as usize]).collect();
    let weekdays = if weekdays.is_all() { String::new() } else { format!("{} ", names.join(",")) };
    let [minutes, hours, days, months] = [minutes, hours, days, months].map(field);
    format!("{weekdays}*-{months}-{days} {hours}:{minutes}")
}

fn field(set: Set) -> String {
    if set.is_all() {
        return "*".to_owned();
    }
    if let Some((step, from)) = set.step().filter(|(step, _)| *step > 1) {
        return format!("{from:02}/{step}");
    }
    let range = |(from, to): &(u32, u32)| if from == to { format!("{from:02}") } else { format!("{from:02}..{to:02}") };
    set.ranges().iter().map(range).collect::<Vec<_>>().join(",")
}
