//! `rounds runs stats`: the totals of each lane since ever, also of the runs that `prune` has deleted.
//!
//! Rule: interrupted and skipped runs are in no success rate, as in `rounds health`. Durations are those of successful
//! runs. A percentile is the middle of its bucket in the histogram (`run/totals.rs`), so it is at most 1/32 off, and the
//! same before and after runs were deleted.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::shape::job;
use crate::command::{CommandContext, Output, listing, shown};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::output::table::{kept, minor};
use crate::output::{folded, local_stamp, stamp};
use crate::run::{durations_of, lane_durations, lane_totals, success_rate};
use crate::schedule::{self, ZoneArgs};

statements! {
    STATS(TEXT) = format!(
        include_str!("stats.sql"), totals = lane_totals("cron_job_runs"), durations = lane_durations("cron_job_runs")
    );
}

/// Count all runs since ever, also those that prune has deleted: last run, totals, average, percentiles
#[derive(Args, Debug)]
pub struct StatsArgs {
    /// Only this job: all its lanes, or job-lane
    #[arg(value_name = "JOB", value_parser = job)]
    job: Option<String>,
    #[command(flatten)]
    zone: ZoneArgs,
}

/// The totals of a lane.
struct Lane {
    name: String,
    job: String,
    lane: String,
    counts: [i64; 4],
    items: [i64; 2],
    average_ms: Option<i64>,
    bounds: Option<(i64, i64)>,
    /// The buckets of the histogram, each with its runs, in order.
    histogram: Vec<(i32, i64)>,
    instants: [Option<DateTime<Utc>>; 4],
}

impl StatsArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let rows = context.read(async |tx, _| STATS.all(tx, &[&self.job]).await).await?;
        let lanes: Vec<Lane> = rows.iter().map(Lane::of).collect();
        let json = json!({ "jobs": lanes.iter().map(Lane::json).collect::<Vec<_>>() });
        let zone = self.zone.zone()?;
        let names = [
            kept("job"),
            kept("runs"),
            kept("ok"),
            "last run".into(),
            minor("last success"),
            minor("last failure"),
            "failed".into(),
            minor("skipped"),
            "avg ms".into(),
            "p50".into(),
            "p95".into(),
            minor("p99"),
            minor("max"),
        ];
        let cells = |lane: &Lane| {
            let [_, last, success, failure] = lane.instants.map(|at| at.map(|at| local_stamp(at, zone)));
            let percentile = |share| shown(lane.percentile(share));
            vec![
                lane.name.clone(),
                lane.all().to_string(),
                lane.rate().map_or(String::new(), |rate| format!("{:.1}%", rate * 100.0)),
                shown(last),
                shown(success),
                shown(failure),
                lane.counts[1].to_string(),
                lane.counts[3].to_string(),
                shown(lane.average_ms),
                percentile(0.5),
                percentile(0.95),
                percentile(0.99),
                shown(lane.bounds.map(|(_, max)| max)),
            ]
        };
        let cells: Vec<_> = lanes.iter().map(cells).collect();
        let mut text = listing(&names, &cells, "No run yet.");
        let first = lanes.iter().filter_map(|lane| lane.instants[0]).min();
        if let Some(first) = first {
            let since = format!("Since {}; ms of successful runs.\n", local_stamp(first, zone));
            text.push_str(&folded(&since));
        }
        Ok(Output::done(json, text))
    }
}

impl Lane {
    fn of(row: &Row) -> Self {
        let (job, lane): (String, String) = (row.get("job_name"), row.get("lane"));
        let bounds = row.get::<_, Option<i64>>("min_ms").zip(row.get("max_ms"));
        let histogram = row.get::<_, Option<Value>>("histogram").and_then(|value| serde_json::from_value(value).ok());
        Self {
            name: schedule::name(&job, &lane),
            counts: ["completed", "failed", "interrupted", "skipped"].map(|column| row.get(column)),
            items: ["items_processed", "items_failed"].map(|column| row.get(column)),
            average_ms: row.get("average_ms"),
            bounds,
            histogram: histogram.unwrap_or_default(),
            instants: ["first_started_at", "last_started_at", "succeeded_at", "failed_at"]
                .map(|column| row.get(column)),
            job,
            lane,
        }
    }

    /// All runs that have ended.
    fn all(&self) -> i64 {
        self.counts.iter().sum()
    }

    fn rate(&self) -> Option<f64> {
        let [completed, failed, ..] = self.counts;
        success_rate(completed, failed)
    }

    /// The duration in milliseconds that such a share of the successful runs did not exceed.
    fn percentile(&self, share: f64) -> Option<i64> {
        let (min, max) = self.bounds?;
        let all: i64 = self.histogram.iter().map(|(_, runs)| runs).sum();
        let rank = ((share * all as f64).ceil() as i64).max(1);
        let mut seen = 0;
        let (bucket, _) = self.histogram.iter().find(|(_, runs)| {
            seen += runs;
            seen >= rank
        })?;
        let (least, greatest) = durations_of(*bucket);
        Some((least + (greatest - least) / 2).clamp(min, max))
    }

    fn json(&self) -> Value {
        let [completed, failed, interrupted, skipped] = self.counts;
        let [first, last, success, failure] = self.instants.map(|at| at.map(stamp));
        json!({
            "job": self.job,
            "lane": self.lane,
            "first_run_at": first,
            "last_run_at": last,
            "last_success_at": success,
            "last_failure_at": failure,
            "runs": self.all(),
            "succeeded": completed,
            "failed": failed,
            "interrupted": interrupted,
            "skipped": skipped,
            "success_rate": self.rate().map(|rate| (rate * 10_000.0).round() / 10_000.0),
            "items_processed": self.items[0],
            "items_failed": self.items[1],
            "duration_ms": self.bounds.map(|(min, max)| json!({
                "average": self.average_ms,
                "min": min,
                "p50": self.percentile(0.5),
                "p90": self.percentile(0.9),
                "p95": self.percentile(0.95),
                "p99": self.percentile(0.99),
                "max": max,
            })),
        })
    }
}
