//! The health of one job in the shape that an old dashboard reads.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::lane_report::LaneReport;

/// A shape of JSON other than our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// {success, data: {...}}, as the cron-health endpoint of a hospital's application answers
    CronHealth,
}

/// The keys of our own report that the dashboard knows. `healthMessage` and `lastRunTime` mean something else there.
const KEPT: [&str; 8] = [
    "jobName",
    "isHealthy",
    "isWorkingHours",
    "lastRunStatus",
    "consecutiveFailures",
    "lastSuccessfulRun",
    "recentRuns",
    "stats",
];

/// Exactly the keys that the dashboard knows. The message of what is well is "OK"; the time of the last run is that of
/// its end, and null while it is at work.
pub fn cron_health(report: &LaneReport, name: &str) -> Value {
    let full = report.json(name);
    let mut data: serde_json::Map<String, Value> =
        KEPT.iter().map(|key| ((*key).to_owned(), full[*key].clone())).collect();
    let is_well = report.verdict.healthy && !report.verdict.degraded;
    data.insert("healthMessage".into(), if is_well { json!("OK") } else { full["healthMessage"].clone() });
    data.insert("lastRunTime".into(), json!(report.last_ended()));
    json!({ "success": true, "data": data })
}
