//! What CronJobs say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::said::{Said, settings};
use crate::ops::schedule::render::{Plan, Target, files};

pub fn wanted(plan: &Plan) -> Said {
    let rendered = files(plan, Target::K8s);
    let jobs = rendered.iter().filter_map(|(file, text)| {
        let name = file.strip_prefix("cronjobs/")?.strip_suffix(".yaml")?;
        // The renderer writes each of these on a line of its own.
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
            line.unwrap_or_default().trim_matches(['"', '[', ']']).replace(", ", " ").replace('"', "")
        };
        Some((
            name.to_owned(),
            said([of("schedule"), of("timeZone"), of("args"), of("activeDeadlineSeconds"), of("suspend")]),
        ))
    });
    jobs.collect()
}

/// A CronJob, or a list of them.
pub fn installed(list: &Value) -> Said {
    let one = [list.clone()];
    let items = list["items"].as_array().map_or(&one[..], Vec::as_slice);
    let jobs = items.iter().filter(|item| item["kind"] == "CronJob").filter_map(|item| {
        let name = item["metadata"]["name"].as_str()?.strip_prefix("rounds-")?;
        let spec = &item["spec"];
        let job = &spec["jobTemplate"]["spec"];
        let args = job["template"]["spec"]["containers"][0]["args"].as_array().into_iter().flatten();
        let args: Vec<String> = args.map(text).collect();
        let suspend = if spec["suspend"].is_null() { "false".to_owned() } else { text(&spec["suspend"]) };
        let deadline = text(&job["activeDeadlineSeconds"]);
        Some((
            name.to_owned(),
            said([text(&spec["schedule"]), text(&spec["timeZone"]), args.join(" "), deadline, suspend]),
        ))
    });
    jobs.collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn said([schedule, zone, args, deadline, suspend]: [String; 5]) -> BTreeMap<String, String> {
    settings([
        ("schedule", schedule),
        ("timeZone", zone),
        ("args", args),
        ("activeDeadlineSeconds", deadline),
        ("suspend", suspend),
    ])
}
