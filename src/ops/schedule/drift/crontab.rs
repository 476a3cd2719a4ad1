//! What the lines of a crontab say. Comments say nothing.

use super::said::Said;
use crate::ops::schedule::render::{Plan, Target, files};

/// The name of the lines that set a variable.
const VARIABLES: &str = "variables";

pub fn wanted(plan: &Plan) -> Said {
    files(plan, Target::Crontab).values().flat_map(|text| of_text(text, plan)).collect()
}

pub fn of_text(text: &str, plan: &Plan) -> Said {
    let mut said = Said::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let is_variable =
            line.split_once('=').is_some_and(|(name, _)| !name.trim().contains(' ') && !name.contains('*'));
        if is_variable {
            if let Some((name, value)) = line.split_once('=').filter(|(name, _)| *name != "MAILTO") {
                said.entry(VARIABLES.to_owned()).or_default().insert(name.trim().to_owned(), value.trim().to_owned());
            }
            continue;
        }
        // The command: `rounds` with the arguments of one of the starts, whatever is around it.
        let Some((_, command)) = line.split_once("rounds ") else { continue };
        let command = command.split(" 2>&1").next().unwrap_or(command).trim();
        let name = plan.name_of(command).unwrap_or_else(|| format!("rounds {command}"));
        let lines = said.entry(name).or_default().entry("its line".to_owned()).or_default();
        *lines = if lines.is_empty() { line.to_owned() } else { format!("{lines} and {line}") };
    }
    said
}
