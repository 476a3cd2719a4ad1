//! CloudWatch's Embedded Metric Format: a line of JSON for each lane, which its log agent turns into metrics.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::told::{By, Told};
use crate::output::JobName;

/// What the lines call things.
#[derive(Clone, Debug)]
pub struct Names {
    pub namespace: String,
    /// The older names of jobs.
    pub jobs: Vec<JobName>,
}

/// Writes the lines to stdout.
pub fn write(names: &Names, told: &[Told], now: DateTime<Utc>) -> Result<(), String> {
    let lines: String = told.iter().map(|one| format!("{}\n", line(names, one, now))).collect();
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| error.kind().to_string())
}

fn line(names: &Names, told: &Told, now: DateTime<Utc>) -> Value {
    let mut values = vec![("CronHealthStatus", "None", u64::from(told.healthy))];
    if let By::Run(run) | By::Skipped(run) = told.by {
        values.push(("CronExecutionDuration", "Milliseconds", run.duration_ms));
        values.push(("ItemsProcessed", "Count", run.processed));
        values.push(("ItemsFailed", "Count", run.failed));
        values.extend(run.notifications.map(|staged| ("NotificationsStaged", "Count", staged)));
    }
    let metrics: Vec<Value> = values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": now.timestamp_millis(),
            "CloudWatchMetrics": [
                { "Namespace": names.namespace, "Dimensions": [["JobName"]], "Metrics": metrics },
            ],
        }),
    );
    let name = names.jobs.iter().find_map(|name| name.of(&told.name)).unwrap_or(&told.name);
    line.insert("JobName".into(), json!(name));
    line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::super::told::Figures;
    use super::*;

    #[test]
    fn a_line_names_each_metric_that_it_has() {
        let names = |jobs: &[&str]| Names {
            namespace: "HMS/CronJobs".into(),
            jobs: jobs.iter().map(|name| name.parse().expect("a name")).collect(),
        };
        let figures = Figures { duration_ms: 12, processed: 3, failed: 1, notifications: Some(2) };
        let told = |by: By| Told { name: "prune".into(), lane: None, healthy: true, by, oldest_pending_seconds: None };
        let at = DateTime::from_timestamp_millis(1_700_000_000_123).expect("an instant");
        let of_run = line(&names(&[]), &told(By::Run(figures)), at);
        assert_eq!(of_run["_aws"]["Timestamp"], 1_700_000_000_123_i64);
        let directive = &of_run["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["JobName"]]));
        let metrics = directive["Metrics"].as_array().expect("a list");
        for metric in metrics {
            let name = metric["Name"].as_str().expect("a name");
            assert!(of_run[name].is_u64(), "{name}: {of_run}");
        }
        assert_eq!((&of_run["JobName"], &of_run["CronHealthStatus"]), (&json!("prune"), &json!(1)));
        assert_eq!((metrics.len(), &of_run["NotificationsStaged"]), (5, &json!(2)));
        let of_nobody = Figures { notifications: None, ..figures };
        assert_eq!(line(&names(&[]), &told(By::Run(of_nobody)), at).get("NotificationsStaged"), None);
        let watched = Told { healthy: false, ..told(By::Health(None)) };
        let of_health = line(&names(&["OLD=stage-alerts", "CLEAN_UP=prune"]), &watched, DateTime::UNIX_EPOCH);
        assert_eq!(of_health["JobName"], "CLEAN_UP");
        assert_eq!(of_health["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map(Vec::len), Some(1));
    }
}
