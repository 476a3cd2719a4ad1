//! The report on one lane: as JSON, as a row of the table, and as notes below it.

use crate::time_zone::Tz;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::judge::{Lane, Running, Verdict, judge};
use super::stats::{RunRecord, Slots, Stats, Window};
use super::stopped::Pause;
use crate::command::shown;
use crate::output::metrics::{By, History, Told};
use crate::output::{counted, local_stamp, span, stamp};
use crate::schedule::Row;

/// The number of a lane's last runs, and of its missed slots, that are listed.
const RECENT: usize = 10;

/// The report on one lane.
pub struct LaneReport {
    pub row: &'static Row,
    pub verdict: Verdict,
    pub lane: Lane,
    stats: Stats,
    slots: Slots,
    recent: Vec<RunRecord>,
    past_deadline: bool,
    now: DateTime<Utc>,
}

impl Running {
    fn json(&self) -> Value {
        let (started_at, deadline_at) = (stamp(self.started_at), stamp(self.deadline_at));
        json!({ "id": self.id, "startedAt": started_at, "deadlineAt": deadline_at, "host": self.host })
    }
}

impl LaneReport {
    pub fn new(row: &'static Row, lane: Lane, runs: Vec<RunRecord>, window: Window) -> Self {
        let mut slots = Slots::of(row, lane.expected_from, &runs, window);
        slots.missed.retain(|slot| !lane.stop.covers(*slot));
        let past_deadline = lane.running.as_ref().is_some_and(|running| running.deadline_at < window.now);
        Self {
            row,
            verdict: judge(row, &lane, window),
            stats: Stats::of(&runs, window),
            slots,
            recent: runs.into_iter().rev().take(RECENT).collect(),
            lane,
            past_deadline,
            now: window.now,
        }
    }

    /// What is told of the lane to those who watch it.
    pub fn told(&self) -> Told {
        let history = History {
            last: self.recent.iter().find_map(RunRecord::figures),
            succeeded_at: self.lane.last_success.as_ref().and_then(|success| success.completed_at),
        };
        let waiting = self.lane.delivery.as_ref().map(|delivery| delivery.waiting_seconds(self.now));
        told(self.row, self.verdict.healthy, Some(history), waiting)
    }

    /// When the newest run ended, if it did.
    pub fn last_ended(&self) -> Option<String> {
        self.recent.first()?.completed_at.map(stamp)
    }

    /// The report as JSON, which calls the job by this name.
    pub fn json(&self, name: &str) -> Value {
        let Self { row, verdict, lane, stats, slots, recent, .. } = self;
        let success = lane.last_success.as_ref();
        let latest = recent.first();
        json!({
            "jobName": name,
            "lane": row.lane,
            "isHealthy": verdict.healthy,
            "isDegraded": verdict.degraded,
            "healthMessage": verdict.message,
            "healthCodes": verdict.codes,
            "pause": lane.stop.paused.as_ref().map(Pause::json),
            "isWorkingHours": verdict.working_hours,
            "lastRunTime": latest.map(|run| stamp(run.started_at)),
            "lastRunStatus": latest.map(RunRecord::outcome),
            "consecutiveFailures": lane.failures,
            "refusedItems": { "count": lane.items_refused(), "byCode": lane.refused },
            "lastSuccessfulRun": success.map(|run| json!({
                "id": run.id,
                "startedAt": stamp(run.started_at),
                "durationMs": run.duration_ms,
                "itemsProcessed": run.items_processed,
            })),
            "recentRuns": recent.iter().map(run_json).collect::<Vec<_>>(),
            "stats": {
                "totalRuns": stats.total(),
                "successfulRuns": stats.successful,
                "failedRuns": stats.failed,
                "successRate": stats.success_rate(),
                "lastFailureTime": lane.failed_at.map(stamp),
                "averageDurationMs": stats.mean_ms,
            },
            "skippedRuns": { "count": stats.skipped.values().sum::<usize>(), "byReason": stats.skipped },
            "delivery": lane.delivery.as_ref().map(|delivery| delivery.json(self.now)),
            "missedSlots": {
                "count": slots.missed.len(),
                "latest": slots.missed.iter().rev().take(RECENT).map(|slot| stamp(*slot)).collect::<Vec<_>>(),
            },
            "runPastDeadline": lane.running.as_ref().filter(|_| self.past_deadline).map(Running::json),
            "startedTwice": slots.seem_doubled().then(|| json!({ "slots": slots.doubled, "hosts": slots.hosts })),
        })
    }

    /// The row of the table. Where several lanes are stopped alike, it names the code, and the reason is below.
    pub fn cells(&self, is_told_below: bool, now: DateTime<Utc>) -> Vec<String> {
        let health = match &self.verdict {
            _ if self.lane.stop.paused.is_some() => "paused",
            Verdict { healthy: false, .. } => "UNHEALTHY",
            Verdict { degraded: true, .. } => "degraded",
            _ => "healthy",
        };
        let latest = self.recent.first();
        vec![
            self.row.name(),
            health.to_owned(),
            self.verdict.why(is_told_below),
            shown(latest.map(|run| format!("{} {} ago", run.outcome(), span(now - run.started_at)))),
            self.lane.failures.to_string(),
            self.stats.successful.to_string(),
            self.stats.failed.to_string(),
            self.stats.skipped.values().sum::<usize>().to_string(),
            shown(self.stats.mean_ms),
        ]
    }

    /// Sentences below the table: missed slots, skipped runs, a run past its deadline, two schedulers.
    pub fn notes(&self, zone: Tz) -> Vec<String> {
        let name = self.row.name();
        let mut notes = vec![];
        let missed = &self.slots.missed;
        if let Some(last) = missed.last() {
            let local = last.with_timezone(&zone).format("%F %H:%M");
            notes.push(format!(
                "{name}: {} MISSED: no run at all, the last at {local} ({zone})",
                counted(missed.len(), "slot")
            ));
        }
        for (reason, count) in &self.stats.skipped {
            notes.push(format!("{name}: {} skipped: {reason}", counted(*count, "run")));
        }
        if let Some(Running { id, deadline_at, host, .. }) = self.lane.running.as_ref().filter(|_| self.past_deadline) {
            let deadline = local_stamp(*deadline_at, zone);
            notes.push(format!("{name}: run {id} on {host} is RUNNING past its deadline, {deadline}"));
        }
        if self.slots.seem_doubled() {
            let (slots, hosts) = (self.slots.doubled, self.slots.hosts.join(", "));
            notes.push(format!("{name}: two schedulers seem to start it: twice in {slots} slots, on {hosts}"));
        }
        notes
    }
}

/// What is told of a lane where the database could not be asked: an alarm has to go off also then.
pub fn told_without_database(row: &Row) -> Told {
    told(row, false, None, None)
}

fn told(row: &Row, healthy: bool, history: Option<History>, waiting: Option<u64>) -> Told {
    Told {
        name: row.name(),
        lane: Some((row.job.to_owned(), row.lane.to_owned())),
        healthy,
        by: By::Health(history),
        oldest_pending_seconds: waiting,
    }
}

fn run_json(run: &RunRecord) -> Value {
    json!({
        "id": run.id,
        "startedAt": stamp(run.started_at),
        "status": run.outcome(),
        "source": run.source,
        "durationMs": run.duration_ms,
        "itemsProcessed": run.items_processed,
        "itemsFailed": run.items_failed,
        "errorCode": run.error_code,
    })
}
