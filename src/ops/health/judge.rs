//! The verdict on a lane, from what the run table knows of it: pure.
//!
//! Rule: a lane that is started at least hourly is healthy if and only if its last success began less than two of its
//! intervals plus its deadline ago, where working hours alone count, or it is outside of them. A slower one is healthy if
//! and only if it succeeded at or after its last slot that is a deadline and an hour old. Before its first success a lane
//! is judged as if it had succeeded when it could first be expected to run.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::schedule::{Cadence, HOUR, Row};

/// How much earlier than its slot a run may begin: clocks differ a little.
const EARLY: TimeDelta = TimeDelta::seconds(30);
/// In so many slots a job must have been started twice before two schedulers are suspected.
const DOUBLED: usize = 2;

/// A run, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: Uuid,
    pub status: String,
    pub source: String,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub duration_ms: Option<i64>,
    pub items_processed: i64,
    pub items_failed: i64,
    pub error_code: Option<String>,
    pub host: String,
}

impl Seen {
    /// Success, failure, running or skipped.
    pub fn outcome(&self) -> &'static str {
        match self.status.as_str() {
            "COMPLETED" => "success",
            "FAILED" => "failure",
            "RUNNING" => "running",
            _ => "skipped",
        }
    }

    fn is_interrupted(&self) -> bool {
        self.error_code.as_deref() == Some("INTERRUPTED")
    }
}

/// What is known of a lane beyond its latest runs.
#[derive(Clone, Debug)]
pub struct Lane {
    pub expected_from: DateTime<Utc>,
    pub last_success: Option<Seen>,
    pub failed_at: Option<DateTime<Utc>>,
    /// Code and redacted message of the last failure.
    pub last_error: Option<(String, String)>,
    pub failures: i64,
    /// The run at work: its id, since when, until when at the latest, where.
    pub running: Option<(Uuid, DateTime<Utc>, DateTime<Utc>, String)>,
}

impl Lane {
    /// Whether the last failure is newer than the last success.
    pub fn is_failing(&self) -> bool {
        self.failed_at > self.last_success.as_ref().and_then(|success| success.completed_at)
    }
}

/// When it is judged, and for which time the numbers are.
#[derive(Clone, Copy)]
pub struct Window {
    pub zone: Tz,
    pub now: DateTime<Utc>,
    pub since: DateTime<Utc>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub healthy: bool,
    pub degraded: bool,
    pub working_hours: bool,
    pub message: String,
}

/// Whether a lane is healthy, and why.
pub fn judge(row: &Row, lane: &Lane, Window { zone, now, .. }: Window) -> Verdict {
    let working_hours = row.cadence.is_working(zone, now);
    let (healthy, message) = match row.cadence.is_slow() {
        true => judge_slow(row, lane, zone, now),
        false if !working_hours => (true, format!("outside working hours ({})", row.cadence)),
        false => judge_frequent(row, lane, zone, now),
    };
    let items_failed = lane.last_success.as_ref().map_or(0, |success| success.items_failed);
    let degraded = healthy && items_failed > 0;
    let mut message = message;
    if degraded {
        message.push_str(&format!("; {items_failed} item(s) failed in it"));
    }
    if let (false, Some((code, error))) = (healthy, &lane.last_error)
        && lane.is_failing()
    {
        message.push_str(&format!("; last error: {error} [{code}]"));
    }
    Verdict { healthy, degraded, working_hours, message }
}

fn judge_frequent(row: &Row, lane: &Lane, zone: Tz, now: DateTime<Utc>) -> (bool, String) {
    let limit = row.cadence.interval() * 2 + deadline(row);
    let since = lane.last_success.as_ref().map_or(lane.expected_from, |success| success.started_at);
    let age = row.cadence.working_time(zone, since, now);
    let healthy = age < limit;
    let message = match (&lane.last_success, healthy) {
        (Some(_), true) => format!("last success {} ago", span(now - since)),
        (Some(_), false) => format!("no success for {} of working hours (limit {})", span(age), span(limit)),
        (None, true) => format!("no success yet; expected for {}", span(age)),
        (None, false) => {
            format!("never succeeded; expected for {} of working hours (limit {})", span(age), span(limit))
        }
    };
    (healthy, message)
}

fn judge_slow(row: &Row, lane: &Lane, zone: Tz, now: DateTime<Utc>) -> (bool, String) {
    let late = now - deadline(row) - HOUR;
    let slots = row.cadence.slots(zone, late - row.cadence.interval() * 2, late + TimeDelta::nanoseconds(1));
    let due = slots.last().filter(|slot| **slot >= lane.expected_from);
    let success = lane.last_success.as_ref().map(|success| success.started_at);
    match (due, success) {
        (Some(slot), None) => (false, format!("never succeeded; the slot of {} was missed", slot.format("%F %H:%MZ"))),
        (Some(slot), Some(success)) if success + EARLY < *slot => {
            (false, format!("no success for the slot of {}", slot.format("%F %H:%MZ")))
        }
        (_, Some(success)) => (true, format!("last success {} ago", span(now - success))),
        (None, None) => (true, "no success yet; no slot has been missed".to_owned()),
    }
}

fn deadline(row: &Row) -> TimeDelta {
    TimeDelta::from_std(row.deadline).unwrap_or(TimeDelta::MAX)
}

/// A length of time as people say it, in seconds below two minutes, else in minutes, hours or days.
pub fn span(time: TimeDelta) -> String {
    let time = time.max(TimeDelta::zero());
    match time.num_seconds() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The totals of a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub successful: usize,
    pub failed: usize,
    pub mean_ms: Option<i64>,
    /// The runs that were skipped, by why.
    pub skipped: BTreeMap<String, usize>,
}

impl Stats {
    /// Of the runs that began in the window. Interrupted ones are in no total.
    pub fn of(runs: &[Seen], window: Window) -> Self {
        let mut stats = Self::default();
        let mut sum = 0;
        for run in runs.iter().filter(|run| run.started_at >= window.since) {
            match run.outcome() {
                "success" => {
                    stats.successful += 1;
                    sum += run.duration_ms.unwrap_or(0);
                }
                "failure" if !run.is_interrupted() => stats.failed += 1,
                "skipped" => *stats.skipped.entry(run.error_code.clone().unwrap_or_default()).or_default() += 1,
                _ => {}
            }
        }
        stats.mean_ms = (stats.successful > 0).then(|| sum / stats.successful as i64);
        stats
    }

    pub fn total(&self) -> usize {
        self.successful + self.failed
    }

    /// Such as "99.7%"; nothing where nothing ran.
    pub fn success_rate(&self) -> Option<String> {
        let total = self.total();
        (total > 0).then(|| format!("{:.1}%", self.successful as f64 * 100.0 / total as f64))
    }
}

/// What became of the slots of a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Those that have no run, in order.
    pub missed: Vec<DateTime<Utc>>,
    /// Those that were started more than once by a scheduler, in which nothing failed.
    pub doubled: usize,
    /// Where the runs of those were started.
    pub hosts: Vec<String>,
}

impl Slots {
    /// Of the window, as far as a run could be expected and the slot is over.
    pub fn of(row: &Row, expected_from: DateTime<Utc>, runs: &[Seen], Window { zone, now, since }: Window) -> Self {
        let interval = row.cadence.interval();
        let over = now - if row.cadence.is_slow() { deadline(row) + HOUR } else { interval };
        let slots = row.cadence.slots(zone, since.max(expected_from - EARLY), now);
        let mut starts: BTreeMap<DateTime<Utc>, Vec<&Seen>> = BTreeMap::new();
        for run in runs {
            if let Some(slot) = slot_of(&row.cadence, &slots, run) {
                starts.entry(slot).or_default().push(run);
            }
        }
        let at_work = |slot: &DateTime<Utc>| {
            runs.iter().any(|run| run.started_at <= *slot && run.completed_at.unwrap_or(now) >= *slot)
        };
        let mut found = Self::default();
        for (_, runs) in starts.iter().filter(|(_, runs)| is_doubled(runs)) {
            found.doubled += 1;
            found.hosts.extend(runs.iter().map(|run| run.host.clone()));
        }
        found.hosts.sort_unstable();
        found.hosts.dedup();
        found.missed = slots
            .iter()
            .filter(|slot| **slot <= over && !starts.contains_key(slot) && !at_work(slot))
            .copied()
            .collect();
        found
    }

    /// Whether it looks as if two schedulers start the job.
    pub fn seem_doubled(&self) -> bool {
        self.doubled >= DOUBLED
    }
}

/// The slot that a run is for: the one it names, else the one in which it began.
fn slot_of(cadence: &Cadence, slots: &[DateTime<Utc>], run: &Seen) -> Option<DateTime<Utc>> {
    let at = run.scheduled_for.unwrap_or(run.started_at + EARLY);
    let slot = *slots[..slots.partition_point(|slot| *slot <= at)].last()?;
    (at < slot + cadence.interval()).then_some(slot)
}

/// Two starts by a scheduler that are neither a second try after a failure nor a stand-in that was not needed.
fn is_doubled(runs: &[&Seen]) -> bool {
    let failed = runs.iter().any(|run| run.status == "FAILED");
    let counts = |run: &&&Seen| {
        run.source == "cron" && (run.status != "SKIPPED" || run.error_code.as_deref() == Some("ALREADY_RUNNING"))
    };
    !failed && runs.iter().filter(counts).count() > 1
}
