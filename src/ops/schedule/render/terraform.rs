//! The map of schedules that the Terraform module goes by.

use super::needs::needs;
use super::plan::{MARK, Plan, comments, lines};
use crate::schedule::{Fields, ScheduledStart, Set};

pub const FILE: &str = "schedules.tf";
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const HEAD: &str = "\
# What runs when. The module makes the task, the schedules, the permissions, the alarm and the place on the dashboard of
# each entry.
#
# The expressions are cron and never rate: a rate counts from the moment of the last apply, not from the clock.
# Fields: minute, hour, day of month, month, day of week, year.
";

pub fn file(plan: &Plan) -> String {
    let entries: Vec<String> = plan.starts.iter().map(|start| entry(start, plan)).collect();
    let environment = match plan.schedule.is_default() {
        true => "  # A schedule of one's own, which every task reads: there is none.\n  schedule_environment = {}\n"
            .to_owned(),
        false => format!(
            "  # The schedule itself: every task reads its deadline there, and health what is expected.\n  \
             schedule_environment = {{\n    ROUNDS_SCHEDULE      = {}\n    ROUNDS_SCHEDULE_ZONE = \"{}\"\n  }}\n",
            quoted(plan.schedule.text),
            plan.zone
        ),
    };
    format!("{MARK}\n{HEAD}locals {{\n  schedules = {{\n{}  }}\n\n{environment}}}\n", entries.join("\n"))
}

fn entry(start: &ScheduledStart, plan: &Plan) -> String {
    let cadence = start.cadences[0];
    let zone = match cadence.is_in_schedule_zone() && plan.schedule.is_default() {
        true => "var.schedule_zone".to_owned(),
        false => format!("\"{}\"", cadence.tz(plan.zone)),
    };
    let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let expressions: Vec<String> = lines(start).into_iter().map(expression).collect();
    let secrets: Vec<String> = ["database"].iter().chain(start.secrets).map(|secret| (*secret).to_owned()).collect();
    let needs = needs(start);
    let mut text = String::new();
    comments(start).iter().for_each(|comment| text.push_str(&format!("    # {comment}\n")));
    text.push_str(&format!("    {} = {{\n", start.name));
    for (key, value) in [
        ("command             ", format!("[{}]", list(&start.command))),
        ("schedule_expressions", format!("[{}]", list(&expressions))),
        ("timezone            ", zone),
        ("deadline_seconds    ", start.deadline.as_secs().to_string()),
        ("secrets             ", format!("[{}]", list(&secrets))),
        ("cpu                 ", if needs.computes { "1024" } else { "256" }.to_owned()),
        ("memory_mib          ", needs.memory_mib.to_string()),
    ] {
        text.push_str(&format!("      {key} = {value}\n"));
    }
    text.push_str("    }\n");
    text
}

/// A text of HCL, in which nothing is a template.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    json.replace("${", "$${").replace("%{", "%%{")
}

/// cron(minute hour day-of-month month day-of-week year); one of the days is a question mark.
fn expression(line: Fields) -> String {
    let Fields { minutes, hours, days, months, weekdays } = line;
    let names: Vec<&str> = weekdays.values().map(|day| WEEKDAYS[day as usize]).collect();
    let (day, weekday) = match weekdays.is_all() {
        true => (field(days), "?".to_owned()),
        false => ("?".to_owned(), names.join(",")),
    };
    format!("cron({} {} {day} {} {weekday} *)", field(minutes), field(hours), field(months))
}

fn field(set: Set) -> String {
    match set.step().filter(|(step, from)| *step > 1 && *from == 0) {
        Some((step, from)) if !set.is_all() => format!("{from}/{step}"),
        _ => set.to_string(),
    }
}
