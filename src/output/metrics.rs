//! Metrics for CloudWatch: lines in its Embedded Metric Format on stdout, which its log agent turns into metrics. A
//! line that cannot be written changes no outcome.

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::JobName;

#[derive(Args, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Write metrics to stdout at the end
    #[arg(long, global = true, env = "ROUNDS_METRICS", value_enum)]
    pub metrics: Option<Format>,
    /// The namespace of the metrics
    #[arg(long, global = true, env = "ROUNDS_METRICS_NAMESPACE", value_name = "NAME")]
    #[arg(default_value = "HMS/CronJobs", value_parser = namespace)]
    pub metrics_namespace: String,
    /// What the metrics call a job, where alarms know it by an older name: NAME=JOB or NAME=JOB-LANE; NAME alone is of
    /// any job
    #[arg(long, global = true, env = "ROUNDS_METRICS_JOB_NAME", value_name = "NAME=JOB", value_delimiter = ',')]
    pub metrics_job_name: Vec<JobName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// CloudWatch's Embedded Metric Format: one line of JSON
    Emf,
}

/// The metrics of one job.
pub struct Metrics {
    /// The name in the schedule.
    pub job: String,
    pub healthy: bool,
    /// Duration in milliseconds, items processed and items failed of a run.
    pub run: Option<[u64; 3]>,
}

impl Metrics {
    fn emf(
        &self,
        MetricsArgs { metrics_namespace: namespace, metrics_job_name, .. }: &MetricsArgs,
        now: DateTime<Utc>,
    ) -> Value {
        let mut values = vec![("CronHealthStatus", "None", u64::from(self.healthy))];
        if let Some([duration_ms, processed, failed]) = self.run {
            values.push(("CronExecutionDuration", "Milliseconds", duration_ms));
            values.push(("ItemsProcessed", "Count", processed));
            values.push(("ItemsFailed", "Count", failed));
        }
        let names: Vec<Value> = values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".into(),
            json!({
                "Timestamp": now.timestamp_millis(),
                "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [["JobName"]], "Metrics": names }],
            }),
        );
        let name = metrics_job_name.iter().find_map(|name| name.of(&self.job)).unwrap_or(&self.job);
        line.insert("JobName".into(), json!(name));
        line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
        Value::Object(line)
    }
}

impl MetricsArgs {
    /// Writes the metrics if --metrics is given.
    pub fn write(&self, metrics: &[Metrics]) {
        if self.metrics.is_none() {
            return;
        }
        let now = published();
        let lines: String = metrics.iter().map(|one| format!("{}\n", one.emf(self, now))).collect();
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The instant of publication, which is needed even if no database was reached.
#[expect(clippy::disallowed_methods, reason = "it decides nothing")]
fn published() -> DateTime<Utc> {
    Utc::now()
}

/// Parses a namespace that CloudWatch accepts.
fn namespace(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
    let good = (1..=255).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(':');
    if good { Ok(text.to_owned()) } else { Err("has up to 255 letters, digits and . - _ / # :".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_each_metric_that_it_has() {
        let args = |names: &[&str]| MetricsArgs {
            metrics: None,
            metrics_namespace: "HMS/CronJobs".into(),
            metrics_job_name: names.iter().map(|name| name.parse().expect("a name")).collect(),
        };
        let run = Metrics { job: "prune".into(), healthy: true, run: Some([12, 3, 1]) };
        let line = run.emf(&args(&[]), DateTime::from_timestamp_millis(1_700_000_000_123).expect("an instant"));
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["JobName"]]));
        for metric in directive["Metrics"].as_array().expect("a list") {
            let name = metric["Name"].as_str().expect("a name");
            assert!(line[name].is_u64(), "{name}: {line}");
        }
        assert_eq!((&line["JobName"], &line["CronHealthStatus"]), (&json!("prune"), &json!(1)));
        let watched = Metrics { job: "prune".into(), healthy: false, run: None };
        let line = watched.emf(&args(&["OLD=stage-alerts", "CLEAN_UP=prune"]), DateTime::UNIX_EPOCH);
        assert_eq!(line["JobName"], "CLEAN_UP");
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn a_namespace_is_what_cloudwatch_takes() {
        for good in ["HMS/CronJobs", "a", "A.b-c_d/e#f:g"] {
            assert!(namespace(good).is_ok(), "{good}");
        }
        for bad in ["", ":a", "a b", "é", &"a".repeat(256)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
