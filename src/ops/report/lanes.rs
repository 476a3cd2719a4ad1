//! What the jobs did: the runs of each lane of the schedule by outcome and time, their durations, the slots that were
//! missed, the longest time without a success, and why runs failed.
//!
//! Slots and the verdict are those of `rounds health`.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::period::Period;
use crate::db::{Row as SqlRow, statements};
use crate::error::Error;
use crate::ops::health::{self, LaneReport, RunRecord, Slots, Window};
use crate::run::success_rate;
use crate::schedule::Row;

statements! {
    JOBS(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TEXT_ARRAY) = include_str!("jobs.sql");
    JOB_TIMES(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TEXT_ARRAY, TEXT, TEXT) = include_str!("job_times.sql");
    JOB_FAILURES(TIMESTAMPTZ, TIMESTAMPTZ, TEXT_ARRAY, TEXT_ARRAY) = include_str!("job_failures.sql");
    LANE_RUNS(TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ) = include_str!("lane_runs.sql");
}

/// The status of a run that succeeded.
const SUCCEEDED: &str = "COMPLETED";

/// The jobs in a period.
#[derive(Serialize)]
pub struct Jobs {
    pub lanes: Vec<LaneFigures>,
    /// The runs of jobs in lanes that are in no schedule.
    pub others: Vec<Counts>,
}

/// The runs of a lane added up.
#[derive(Clone, Default, Serialize)]
pub struct Counts {
    pub name: String,
    pub runs: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub interrupted: i64,
    pub skipped: i64,
    pub items_processed: i64,
    pub items_failed: i64,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub max_ms: Option<i64>,
}

/// A lane of the schedule.
#[derive(Serialize)]
pub struct LaneFigures {
    #[serde(flatten)]
    pub counts: Counts,
    /// The verdict of `rounds health` at the end of the report's period; none of the period before.
    pub healthy: Option<bool>,
    pub why: String,
    pub missed_slots: Vec<DateTime<Utc>>,
    pub longest_gap: Option<Gap>,
    pub times: Vec<Time>,
    pub failures: Vec<Failure>,
}

/// The longest time in which a lane was to run and did not succeed.
#[derive(Clone, Copy, Serialize)]
pub struct Gap {
    pub seconds: i64,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// An hour, a day or a week of a lane.
#[derive(Clone, Serialize)]
pub struct Time {
    pub at: NaiveDateTime,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    pub missed: i64,
    pub p50_ms: Option<i64>,
    pub max_ms: Option<i64>,
    pub items: i64,
}

/// The failures with one code.
#[derive(Serialize)]
pub struct Failure {
    pub code: String,
    pub runs: i64,
    pub last_at: DateTime<Utc>,
    /// As it was recorded: redacted.
    pub message: String,
}

impl Counts {
    fn of(row: &SqlRow, name: String) -> Self {
        let [runs, succeeded, failed, interrupted, skipped, items_processed, items_failed] =
            ["runs", "succeeded", "failed", "interrupted", "skipped", "items_processed", "items_failed"]
                .map(|column| row.get(column));
        let [p50_ms, p95_ms, max_ms] = ["p50_ms", "p95_ms", "max_ms"].map(|column| row.get(column));
        Self {
            name,
            runs,
            succeeded,
            failed,
            interrupted,
            skipped,
            items_processed,
            items_failed,
            p50_ms,
            p95_ms,
            max_ms,
        }
    }

    /// The share of successes.
    pub fn success_rate(&self) -> Option<f64> {
        success_rate(self.succeeded, self.failed)
    }
}

impl Jobs {
    /// Reads the jobs. `is_now` is whether the period ends now, so that there is a verdict.
    pub async fn read(tx: &Transaction<'_>, period: &Period, is_now: bool) -> Result<Self, Error> {
        let reports = health::verdicts(tx, period.zone, period.from, period.until).await?;
        let rows: Vec<&Row> = reports.iter().map(|report| report.row).collect();
        let jobs: Vec<&str> = rows.iter().map(|row| row.job).collect();
        let lanes: Vec<&str> = rows.iter().map(|row| row.lane).collect();
        let Period { from, until, unit, zone, .. } = period;
        let totals = JOBS.all(tx, &[from, until, &jobs, &lanes]).await?;
        let times = JOB_TIMES.all(tx, &[from, until, &jobs, &lanes, &unit.name(), &zone.name()]).await?;
        let failures = JOB_FAILURES.all(tx, &[from, until, &jobs, &lanes]).await?;
        let mut out = vec![];
        for (report, number) in reports.iter().zip(1_i64..) {
            let is_of = |row: &&SqlRow| row.get::<_, Option<i64>>("number") == Some(number);
            let name = report.row.name();
            let (missed_slots, longest_gap) = gaps(tx, report, period).await?;
            let mut figures = LaneFigures {
                counts: totals
                    .iter()
                    .find(is_of)
                    .map_or(Counts { name: name.clone(), ..Counts::default() }, |row| Counts::of(row, name.clone())),
                healthy: is_now.then_some(report.verdict.healthy),
                why: if is_now { report.verdict.why(false) } else { String::new() },
                missed_slots,
                longest_gap,
                times: times.iter().filter(is_of).map(Time::of).collect(),
                failures: failures.iter().filter(is_of).map(Failure::of).collect(),
            };
            figures.add_missed(period);
            out.push(figures);
        }
        let other = |row: &&SqlRow| row.get::<_, Option<i64>>("number").is_none();
        let others = totals.iter().filter(other).map(|row| Counts::of(row, row.get("job_name"))).collect();
        Ok(Self { lanes: out, others })
    }
}

impl LaneFigures {
    /// Puts the missed slots into their hours, days or weeks.
    fn add_missed(&mut self, period: &Period) {
        for slot in &self.missed_slots {
            let at = period.time_of(*slot);
            match self.times.binary_search_by_key(&at, |time| time.at) {
                Ok(index) => self.times[index].missed += 1,
                Err(index) => self.times.insert(index, Time { missed: 1, ..Time::nothing(at) }),
            }
        }
    }
}

impl Time {
    fn of(row: &SqlRow) -> Self {
        let [succeeded, failed, skipped, items] =
            ["succeeded", "failed", "skipped", "items"].map(|column| row.get(column));
        let [p50_ms, max_ms] = ["p50_ms", "max_ms"].map(|column| row.get(column));
        Self { at: row.get("at"), succeeded, failed, skipped, missed: 0, p50_ms, max_ms, items }
    }

    fn nothing(at: NaiveDateTime) -> Self {
        Self { at, succeeded: 0, failed: 0, skipped: 0, missed: 0, p50_ms: None, max_ms: None, items: 0 }
    }
}

impl Failure {
    fn of(row: &SqlRow) -> Self {
        Self {
            code: row.get("error_code"),
            runs: row.get("runs"),
            last_at: row.get("last_at"),
            message: row.get::<_, Option<String>>("message").unwrap_or_default(),
        }
    }
}

/// The slots that a lane missed, and its longest time without a success.
async fn gaps(
    tx: &Transaction<'_>,
    report: &LaneReport,
    period: &Period,
) -> Result<(Vec<DateTime<Utc>>, Option<Gap>), Error> {
    let (row, lane) = (report.row, &report.lane);
    // A run that began before the period may reach into it.
    let reach = row.cadence.interval().max(row.time_limit());
    let from = period.from - reach;
    let runs = records(&LANE_RUNS.one(tx, &[&row.job, &row.lane, &from, &period.until]).await?);
    let window = Window { zone: period.zone, now: period.until, since: period.from };
    let mut missed = Slots::of(row, lane.expected_from, &runs, window).missed;
    missed.retain(|slot| !lane.stop.covers(*slot));
    let begin = period.from.max(lane.expected_from);
    let successes = runs.iter().filter(|run| run.status == SUCCEEDED && run.started_at >= begin);
    let mut starts: Vec<DateTime<Utc>> = successes.map(|run| run.started_at).collect();
    starts.push(period.until);
    let mut longest: Option<Gap> = None;
    let mut last = begin;
    for start in starts {
        // The working time is at most the time.
        if longest.is_none_or(|gap| start - last > TimeDelta::seconds(gap.seconds)) {
            let seconds = row.cadence.working_time(period.zone, last, start).num_seconds();
            if seconds > 0 && longest.is_none_or(|gap| seconds > gap.seconds) {
                longest = Some(Gap { seconds, from: last, until: start });
            }
        }
        last = start;
    }
    Ok((missed, longest))
}

/// The runs of a lane, in order, with as much of them as slots need.
fn records(row: &SqlRow) -> Vec<RunRecord> {
    let instants = |column| -> Vec<Option<DateTime<Utc>>> {
        let micros: Vec<Option<i64>> = row.get(column);
        micros.into_iter().map(|micros| DateTime::from_timestamp_micros(micros?)).collect()
    };
    let succeeded: Vec<bool> = row.get("succeeded");
    let ends = instants("completed").into_iter().zip(instants("scheduled")).zip(succeeded);
    let runs = instants("started").into_iter().zip(ends);
    let record = |(started_at, ((completed_at, scheduled_for), succeeded)): (Option<_>, ((_, _), bool))| {
        Some(RunRecord {
            id: Uuid::nil(),
            status: if succeeded { SUCCEEDED.to_owned() } else { String::new() },
            source: String::new(),
            started_at: started_at?,
            completed_at,
            scheduled_for,
            duration_ms: None,
            items_processed: 0,
            items_failed: 0,
            error_code: None,
            host: String::new(),
        })
    };
    runs.filter_map(record).collect()
}
