//! What the map of schedules says, and what the state of Terraform says of the schedules in AWS.

use std::collections::BTreeMap;

use serde_json::Value;

use super::said::Said;
use crate::ops::schedule::render::{Plan, Target, files};

/// The settings that the state of a schedule has, too.
const EXPRESSIONS: &str = "schedule_expressions";
const ZONE: &str = "timezone";
const COMMAND: &str = "command";

pub fn wanted(plan: &Plan) -> Said {
    files(plan, Target::Terraform).values().flat_map(|text| of_map(text, plan)).collect()
}

/// The map as a file, in which each entry is a block and each setting a line.
pub fn of_map(text: &str, plan: &Plan) -> Said {
    let mut said = Said::new();
    let mut name: Option<String> = None;
    for line in text.lines() {
        if let Some(entry) = line.strip_prefix("    ").filter(|rest| !rest.starts_with([' ', '#'])) {
            name = entry.strip_suffix(" = {").map(str::to_owned);
        } else if let (Some(name), Some((key, value))) = (&name, line.trim().split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            if [EXPRESSIONS, ZONE, COMMAND].contains(&key) {
                let value = if value == "var.schedule_zone" { plan.zone.name().to_owned() } else { plain(value) };
                said.entry(name.clone()).or_default().insert(key.to_owned(), value);
            }
        }
    }
    said
}

/// A list of texts without its signs.
fn plain(list: &str) -> String {
    list.trim_matches(['[', ']', '"']).replace("\", \"", " ")
}

/// The state: the schedules and task definitions of all modules.
pub fn of_state(state: &Value) -> Said {
    let mut found = vec![];
    resources(&state["values"]["root_module"], &mut found);
    let of_kind = |kind: &'static str| found.iter().filter(move |resource| resource["type"] == kind);
    let mut said = Said::new();
    // A task definition is named by its job alone.
    let mut tasks: BTreeMap<&str, String> = BTreeMap::new();
    for task in of_kind("aws_ecs_task_definition") {
        let containers = task["values"]["container_definitions"].as_str().unwrap_or_default();
        let containers: Value = serde_json::from_str(containers).unwrap_or_default();
        let command: Vec<&str> =
            containers[0][COMMAND].as_array().into_iter().flatten().flat_map(Value::as_str).collect();
        if let Some(job) = task["index"].as_str() {
            tasks.insert(job, command.join(" "));
        }
    }
    // Of the schedules only their whole name is there; a job's second one ends in a number.
    let mut schedules: Vec<&Value> = of_kind("aws_scheduler_schedule").map(|schedule| &schedule["values"]).collect();
    schedules.sort_by_key(|schedule| schedule["name"].as_str().unwrap_or_default().len());
    for schedule in schedules {
        let name = schedule["name"].as_str().unwrap_or_default();
        let is_of = |job: &&str| match *job {
            "health" => name.starts_with("hms-cron-health-check-"),
            job => name
                .strip_prefix("rounds-")
                .and_then(|rest| rest.strip_prefix(job))
                .is_some_and(|rest| rest.starts_with('-')),
        };
        let job = tasks.keys().copied().filter(is_of).max_by_key(|job| job.len()).unwrap_or(name);
        let settings = said.entry(job.to_owned()).or_default();
        let text = |key: &str| schedule[key].as_str().unwrap_or_default().to_owned();
        let expressions = settings.entry(EXPRESSIONS.to_owned()).or_default();
        *expressions = format!("{expressions} {}", text("schedule_expression")).trim().to_owned();
        settings.insert(ZONE.to_owned(), text("schedule_expression_timezone"));
        if let Some(command) = tasks.get(job) {
            settings.insert(COMMAND.to_owned(), command.clone());
        }
        if schedule["state"] == "DISABLED" {
            settings.insert("state".to_owned(), "DISABLED".to_owned());
        }
    }
    said
}

fn resources<'a>(module: &'a Value, found: &mut Vec<&'a Value>) {
    found.extend(module["resources"].as_array().into_iter().flatten());
    for child in module["child_modules"].as_array().into_iter().flatten() {
        resources(child, found);
    }
}
