//! `rounds health`: is every job on time, and if not, why.
//!
//! The verdict is `judge`'s, the numbers are `tally`'s; here is where their facts come from and how they are told. Reads only, and gives up before a probe
//! would.

mod judge;
mod tally;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row as SqlRow, Transaction};

use crate::clinic::actor::refused;
use crate::clinic::local_time::before;
use crate::command::{CommandContext, Operation, Output, listing, shown};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::metrics::Metrics;
use crate::output::span;
use crate::output::stamp;
use crate::run::{self, positive_duration};
use crate::schedule::{self, Row, ZoneArgs};
use judge::{Lane, Verdict, judge};
use tally::{Seen, Slots, Stats, Window};

crate::db::statements! {}

/// How many of a lane's last runs are listed, and of its missed slots.
const RECENT: usize = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Tell whether each job is on time: exit 0 when all are healthy, 1 when not
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// Only these: a job with all its lanes, or job-lane
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// Only jobs whose last failure is newer than their last success; exit 1 when there is one
    #[arg(long)]
    failing: bool,
    /// How far back the numbers go [default: 24h, 60d for weekly jobs]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    since: Option<Duration>,
    #[command(flatten)]
    zone: ZoneArgs,
}

/// All that is said of one lane.
struct Told {
    row: &'static Row,
    verdict: Verdict,
    lane: Lane,
    stats: Stats,
    slots: Slots,
    recent: Vec<Seen>,
    past_deadline: bool,
}

impl Operation for HealthArgs {
    const NAME: &'static str = "health";
    /// A name that nobody resolves may cost two seconds more; a probe is answered within ten.
    const LIMIT: Duration = Duration::from_secs(7);

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let rows = self.rows()?;
        let zone = self.zone.schedule_zone;
        let (now, mut told) = context.read(async |tx, now| Ok((now, self.look(tx, &rows, now).await?))).await?;
        let healthy = told.iter().all(|told| told.verdict.healthy);
        if self.failing {
            told.retain(|told| told.lane.is_failing());
        }
        let good = if self.failing { told.is_empty() } else { healthy };
        let json = json!({
            "isHealthy": healthy,
            "checkedAt": stamp(now),
            "scheduleZone": zone.name(),
            "jobs": told.iter().map(Told::json).collect::<Vec<_>>(),
        });
        let exit = if good { Exit::Done } else { Exit::Failed };
        let metrics =
            told.iter().map(|told| Metrics { job: told.row.name(), healthy: told.verdict.healthy, run: None });
        let answer = Output::new(exit, json, self.text(&told, now));
        Ok(Output { metrics: metrics.collect(), ..answer })
    }
}

impl HealthArgs {
    /// The rows of the schedule that are asked for.
    fn rows(&self) -> Result<Vec<&'static Row>, Error> {
        let table = schedule::TABLE;
        let named = |row: &&Row| self.jobs.is_empty() || self.jobs.iter().any(|name| row.is_called(name));
        if let Some(unknown) = self.jobs.iter().find(|name| !table.iter().any(|row| row.is_called(name))) {
            let known = table.iter().map(Row::name).collect::<Vec<_>>().join(", ");
            return Err(refused(
                "UNKNOWN_JOB",
                format!("no job in the schedule is called {unknown}; there are {known}"),
            ));
        }
        Ok(table.iter().filter(named).collect())
    }

    fn since(&self, row: &Row, now: DateTime<Utc>) -> DateTime<Utc> {
        let weekly = row.cadence.interval() >= TimeDelta::weeks(1);
        before(now, self.since.unwrap_or(if weekly { 60 * DAY } else { DAY }))
    }

    async fn look(&self, tx: &Transaction<'_>, rows: &[&'static Row], now: DateTime<Utc>) -> Result<Vec<Told>, Error> {
        let jobs: Vec<&str> = rows.iter().map(|row| row.job).collect();
        let lanes: Vec<&str> = rows.iter().map(|row| row.lane).collect();
        let since: Vec<DateTime<Utc>> = rows.iter().map(|row| self.since(row, now)).collect();
        let facts = format!(include_str!("lanes.sql"), failures = run::failures("NULL"));
        let named = [(&jobs as &(dyn ToSql + Sync), Type::TEXT_ARRAY), (&lanes, Type::TEXT_ARRAY)];
        let facts = tx.query_typed(&facts, &named).await?;
        // A run that began before the window may reach into it.
        let from: Vec<_> = rows.iter().zip(&since).map(|(row, since)| *since - row.cadence.interval()).collect();
        let [jobs, lanes] = named;
        let seen = tx.query_typed(include_str!("runs.sql"), &[jobs, lanes, (&from, Type::TIMESTAMPTZ_ARRAY)]).await?;
        let zone = self.zone.schedule_zone;
        Ok((rows.iter().zip(&facts).zip(&since).zip(1..))
            .map(|(((row, facts), since), number)| {
                let runs = seen.iter().filter(|run| run.get::<_, i64>("number") == number).map(seen_run).collect();
                tell(row, lane(facts), runs, Window { zone, now, since: *since })
            })
            .collect())
    }

    fn text(&self, told: &[Told], now: DateTime<Utc>) -> String {
        let names = ["job", "health", "why", "last run", "in a row", "ok", "failed", "skipped", "ms"];
        let rows: Vec<_> = told.iter().map(|told| told.cells(now)).collect();
        let empty = if self.failing { "No job is failing." } else { "No job is in the schedule." };
        let mut text = listing(&names, &rows, empty);
        for note in told.iter().flat_map(|told| told.notes(self.zone.schedule_zone)) {
            text.push_str(&format!("  {note}\n"));
        }
        text
    }
}

fn tell(row: &'static Row, lane: Lane, runs: Vec<Seen>, window: Window) -> Told {
    let past_deadline = lane.running.as_ref().is_some_and(|(_, _, deadline, _)| *deadline < window.now);
    Told {
        row,
        verdict: judge(row, &lane, window),
        stats: Stats::of(&runs, window),
        slots: Slots::of(row, lane.expected_from, &runs, window),
        recent: runs.into_iter().rev().take(RECENT).collect(),
        lane,
        past_deadline,
    }
}

impl Told {
    fn json(&self) -> Value {
        let Self { row, verdict, lane, stats, slots, recent, .. } = self;
        let success = lane.last_success.as_ref();
        let latest = recent.first();
        json!({
            "jobName": row.job,
            "lane": row.lane,
            "isHealthy": verdict.healthy,
            "isDegraded": verdict.degraded,
            "healthMessage": verdict.message,
            "isWorkingHours": verdict.working_hours,
            "lastRunTime": latest.map(|run| stamp(run.started_at)),
            "lastRunStatus": latest.map(Seen::outcome),
            "consecutiveFailures": lane.failures,
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
            "missedSlots": {
                "count": slots.missed.len(),
                "latest": slots.missed.iter().rev().take(RECENT).map(|slot| stamp(*slot)).collect::<Vec<_>>(),
            },
            "runPastDeadline": lane.running.as_ref().filter(|_| self.past_deadline).map(|(id, since, deadline, host)| {
                json!({ "id": id, "startedAt": stamp(*since), "deadlineAt": stamp(*deadline), "host": host })
            }),
            "startedTwice": slots.seem_doubled().then(|| json!({ "slots": slots.doubled, "hosts": slots.hosts })),
        })
    }

    fn cells(&self, now: DateTime<Utc>) -> Vec<String> {
        let health = match &self.verdict {
            Verdict { healthy: false, .. } => "UNHEALTHY",
            Verdict { degraded: true, .. } => "degraded",
            _ => "healthy",
        };
        let latest = self.recent.first();
        vec![
            self.row.name(),
            health.to_owned(),
            self.verdict.message.clone(),
            shown(latest.map(|run| format!("{} {} ago", run.outcome(), span(now - run.started_at)))),
            self.lane.failures.to_string(),
            self.stats.successful.to_string(),
            self.stats.failed.to_string(),
            self.stats.skipped.values().sum::<usize>().to_string(),
            shown(self.stats.mean_ms),
        ]
    }

    /// What only the run table can tell.
    fn notes(&self, zone: Tz) -> Vec<String> {
        let name = self.row.name();
        let mut notes = vec![];
        let missed = &self.slots.missed;
        if let Some(last) = missed.last() {
            let local = last.with_timezone(&zone).format("%F %H:%M");
            notes.push(format!("{name}: {} slot(s) MISSED: no run at all, the last at {local} ({zone})", missed.len()));
        }
        for (why, count) in &self.stats.skipped {
            notes.push(format!("{name}: {count} run(s) skipped: {why}"));
        }
        if let Some((id, _, deadline, host)) = self.lane.running.as_ref().filter(|_| self.past_deadline) {
            let deadline = stamp(*deadline);
            notes.push(format!("{name}: run {id} on {host} is RUNNING past its deadline, {deadline}"));
        }
        if self.slots.seem_doubled() {
            let (slots, hosts) = (self.slots.doubled, self.slots.hosts.join(", "));
            notes.push(format!("{name}: two schedulers seem to start it: twice in {slots} slots, on {hosts}"));
        }
        notes
    }
}

fn run_json(run: &Seen) -> Value {
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

fn seen_run(row: &SqlRow) -> Seen {
    Seen {
        id: row.get("id"),
        status: row.get("status"),
        source: row.get("source"),
        started_at: row.get("started_at"),
        completed_at: row.get("completed_at"),
        scheduled_for: row.get("scheduled_for"),
        duration_ms: row.get("duration_ms"),
        items_processed: row.get("items_processed"),
        items_failed: row.get("items_failed"),
        error_code: row.get("error_code"),
        host: row.get("host"),
    }
}

fn lane(row: &SqlRow) -> Lane {
    let error: (Option<String>, Option<String>) = (row.get("error_code"), row.get("error_message"));
    let running: Option<uuid::Uuid> = row.get("running_id");
    Lane {
        expected_from: row.get("expected_from"),
        last_success: row.get::<_, Option<uuid::Uuid>>("success_id").map(|id| Seen {
            id,
            status: "COMPLETED".into(),
            source: String::new(),
            started_at: row.get("success_started_at"),
            completed_at: row.get("succeeded_at"),
            scheduled_for: None,
            duration_ms: row.get("success_duration_ms"),
            items_processed: row.get("success_items_processed"),
            items_failed: row.get("success_items_failed"),
            error_code: None,
            host: String::new(),
        }),
        failed_at: row.get("failed_at"),
        last_error: error.0.zip(error.1),
        failures: row.get("failures"),
        running: running
            .map(|id| (id, row.get("running_started_at"), row.get("running_deadline_at"), row.get("running_host"))),
    }
}
