//! `rounds health`: checks whether every job is on time, and reports the reason if one is not.
//!
//! `judge` gives the verdict, `stats` the counts, `lane_report` the text, `stopped` what a person has paused, `delivery`
//! the messages of a channel; this file reads the facts. The command only reads, and it gives up before the timeout of a probe.

mod delivery;
mod judge;
mod lane_report;
mod shape;
mod stats;
mod stopped;
mod unscheduled;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time_zone::Tz;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::arg::duration_within;
use crate::clinic::actor::refused;
use crate::clinic::local_time::before;
use crate::command::{CommandContext, Operation, Output, listing};
use crate::db::{Row as SqlRow, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::metrics::Told;
use crate::output::table::{kept, minor};
use crate::output::{JobName, folded, stamp};
use crate::run::{self, has_passed};
use crate::schedule::{self, Row, ZoneArgs};
use judge::{Lane, Running};
pub use lane_report::LaneReport;
use shape::Shape;
pub use stats::{RunRecord, Slots, Window};
use stopped::{Pause, Stop, Stopped};
use unscheduled::Unscheduled;

statements! {
    of delivery, stopped, unscheduled;
    LANES(TEXT_ARRAY, TEXT_ARRAY) = format!(
        include_str!("lanes.sql"),
        failures = run::failures("NULL"),
        start_has_passed = has_passed("r.started_at"),
        end_has_passed = has_passed("r.completed_at"),
        heartbeat_has_passed = has_passed("r.heartbeat_at"),
        migration_has_passed = has_passed("m.applied_on::timestamptz")
    );
    RUNS(TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ_ARRAY) =
        format!(include_str!("runs.sql"), has_passed = has_passed("r.started_at"));
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The slots of a lane that is started every minute are a million in two years.
const SINCE_MAX: Duration = Duration::from_secs(800 * 24 * 3600);

/// Tell whether each job is on time: exit 0 when all are healthy, 1 when not
#[derive(Args, Debug, Default)]
pub struct HealthArgs {
    /// Only these: a job with all its lanes, or job-lane
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// Only jobs whose last failure is newer than their last success; exit 1 when there is one
    #[arg(long)]
    failing: bool,
    /// How far back the numbers go [default: 24h, 60d for weekly jobs]
    #[arg(long, value_name = "DURATION", value_parser = since)]
    since: Option<Duration>,
    /// As JSON in the shape that an old dashboard reads, of one job or lane
    #[arg(long, value_enum, requires = "jobs", conflicts_with = "failing")]
    shape: Option<Shape>,
    /// What a dashboard calls the job, as NAME=JOB or NAME=JOB-LANE: the JSON has NAME, and NAME may be given as JOB
    #[arg(long, env = "ROUNDS_JOB_NAME", value_name = "NAME=JOB", value_delimiter = ',')]
    job_name: Vec<JobName>,
    #[command(flatten)]
    zone: ZoneArgs,
}

/// What is in no row of the schedule.
#[derive(Default)]
struct Others {
    started: Vec<Unscheduled>,
    paused: Vec<Pause>,
}

impl Others {
    /// Sentences below the table.
    fn notes(&self, zone: Tz, now: DateTime<Utc>) -> impl Iterator<Item = String> {
        let started = self.started.iter().map(move |other| other.note(now));
        started.chain(self.paused.iter().map(move |pause| pause.note(zone)))
    }
}

impl Operation for HealthArgs {
    const NAME: &'static str = "health";
    /// A DNS lookup without an answer may add two seconds; a probe waits ten.
    const LIMIT: Duration = Duration::from_secs(7);
    const IS_WATCHED: bool = true;

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let rows = self.rows()?;
        if self.shape.is_some() && rows.len() != 1 {
            let lanes = rows.iter().map(|row| row.name()).collect::<Vec<_>>().join(", ");
            return Err(refused("NOT_ONE_JOB", format!("--shape is of one job or lane, not of {lanes}")));
        }
        let zone = self.zone.zone()?;
        let read = context.read(async |tx, now| {
            let stopped = Stopped::read(tx, self.pauses_from(&rows, now)).await?;
            let reports = self.reports(tx, &rows, &stopped, zone, now).await?;
            let others = match self.jobs.is_empty() && !self.failing {
                true => Others {
                    started: Unscheduled::since(tx, schedule::table(), before(now, self.since.unwrap_or(DAY))).await?,
                    paused: stopped.of_none(schedule::table(), now),
                },
                false => Others::default(),
            };
            Ok((now, reports, others))
        });
        let (now, mut reports, others) = read.await?;
        let healthy = reports.iter().all(|report| report.verdict.healthy);
        if self.failing {
            reports.retain(|report| report.lane.is_failing());
        }
        let good = if self.failing { reports.is_empty() } else { healthy };
        let exit = if good { Exit::Done } else { Exit::Failed };
        let metrics: Vec<Told> = reports.iter().map(LaneReport::told).collect();
        if let (Some(Shape::CronHealth), Some(report)) = (self.shape, reports.first()) {
            let json = shape::cron_health(report, self.called(report.row));
            return Ok(Output { metrics, ..Output::new(exit, json.clone(), json.to_string()) });
        }
        let json = json!({
            "isHealthy": healthy,
            "checkedAt": stamp(now),
            "scheduleZone": zone.name(),
            "jobs": reports.iter().map(|report| report.json(self.called(report.row))).collect::<Vec<_>>(),
            "notScheduled": others.started.iter().map(Unscheduled::json).collect::<Vec<_>>(),
            "notScheduledPauses": others.paused.iter().map(Pause::json).collect::<Vec<_>>(),
        });
        Ok(Output { metrics, ..Output::new(exit, json, self.text(&reports, &others, zone, now)) })
    }

    /// An alarm on the metric has to go off also where nobody knows how the jobs are.
    fn metrics_of_failure(&self) -> Vec<Told> {
        let rows = self.rows().unwrap_or_default();
        rows.iter().map(|row| lane_report::told_without_database(row)).collect()
    }
}

impl HealthArgs {
    /// The requested rows of the schedule.
    fn rows(&self) -> Result<Vec<&'static Row>, Error> {
        let table = schedule::table();
        check_names(&self.job_name)?;
        let is_called =
            |row: &Row, name: &str| row.is_called(name) || self.job_name.iter().any(|of| of.says(name, &row.name()));
        let named = |row: &&Row| self.jobs.is_empty() || self.jobs.iter().any(|name| is_called(row, name));
        let is_unknown = |name: &&String| !table.iter().any(|row| is_called(row, name));
        if let Some(unknown) = self.jobs.iter().find(is_unknown) {
            let known = schedule::known();
            let message = format!("no job in the schedule is called {unknown}; there are {known}");
            return Err(refused("UNKNOWN_JOB", message));
        }
        Ok(table.iter().filter(named).collect())
    }

    /// What the JSON calls a job.
    fn called<'a>(&'a self, row: &Row) -> &'a str {
        self.job_name.iter().find_map(|name| name.of(&row.name())).unwrap_or(row.job)
    }

    fn since(&self, row: &Row, now: DateTime<Utc>) -> DateTime<Utc> {
        let weekly = row.cadence.interval() >= TimeDelta::weeks(1);
        before(now, self.since.unwrap_or(if weekly { 60 * DAY } else { DAY }))
    }

    /// How far back the pauses matter: to the missed slots that are counted, and, whatever --since is, to those by
    /// which a lane is judged.
    fn pauses_from(&self, rows: &[&Row], now: DateTime<Utc>) -> DateTime<Utc> {
        let of_row =
            |row: &&Row| (self.since(row, now) - row.cadence.interval()).min(now - row.cadence.longest_gap() * 3);
        rows.iter().map(of_row).min().unwrap_or(now)
    }

    async fn reports(
        &self,
        tx: &Transaction<'_>,
        rows: &[&'static Row],
        stopped: &Stopped,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Vec<LaneReport>, Error> {
        let jobs: Vec<&str> = rows.iter().map(|row| row.job).collect();
        let names: Vec<&str> = rows.iter().map(|row| row.lane).collect();
        let since: Vec<DateTime<Utc>> = rows.iter().map(|row| self.since(row, now)).collect();
        let lanes = lanes(tx, rows, stopped, now).await?;
        // A run that began before the window may reach into it.
        let reach = |row: &Row| row.cadence.interval().max(row.time_limit());
        let from: Vec<_> = rows.iter().zip(&since).map(|(row, since)| *since - reach(row)).collect();
        let runs = RUNS.all(tx, &[&jobs, &names, &from]).await?;
        Ok((rows.iter().zip(lanes).zip(&since).zip(1..))
            .map(|(((row, lane), since), number)| {
                let of_lane = runs.iter().filter(|run| run.get::<_, i64>("number") == number);
                let window = Window { zone, now, since: *since };
                LaneReport::new(row, lane, of_lane.map(run_record).collect(), window)
            })
            .collect())
    }

    fn text(&self, reports: &[LaneReport], others: &Others, zone: Tz, now: DateTime<Utc>) -> String {
        let names = [
            kept("job"),
            kept("health"),
            kept("why"),
            "last run".into(),
            "failures in a row".into(),
            minor("ok"),
            "failed".into(),
            minor("skipped"),
            minor("ms"),
        ];
        let mut lanes_stopped = BTreeMap::<_, usize>::new();
        reports.iter().filter_map(stopped).for_each(|why| *lanes_stopped.entry(why).or_default() += 1);
        lanes_stopped.retain(|_, lanes| *lanes > 1);
        let is_told_below = |report| stopped(report).is_some_and(|why| lanes_stopped.contains_key(why));
        let rows: Vec<_> = reports.iter().map(|report| report.cells(is_told_below(report), now)).collect();
        let empty = if self.failing { "No job is failing." } else { "No job is in the schedule." };
        let mut text = listing(&names, &rows, empty);
        let told = lanes_stopped.keys().map(|(code, why)| format!("[{code}] {why}"));
        let notes = reports.iter().flat_map(|report| report.notes(zone));
        for note in told.chain(notes).chain(others.notes(zone, now)) {
            text.push_str(&folded(&format!("  {note}\n")));
        }
        text
    }
}

/// What stops the lane until a person's word.
fn stopped(report: &LaneReport) -> Option<&(&'static str, String)> {
    report.verdict.stopped.as_ref()
}

/// Refuses names of jobs that are not in the schedule.
fn check_names(names: &[JobName]) -> Result<(), Error> {
    let unknown = names.iter().filter_map(JobName::job).find(|job| !schedule::is_known(job));
    let message = |job| format!("--job-name: no job in the schedule is called {job}; there are {}", schedule::known());
    unknown.map_or(Ok(()), |job| Err(refused("UNKNOWN_JOB", message(job))))
}

/// The verdict on each lane of the schedule, with the pauses since an instant, and without its runs.
pub async fn verdicts(
    tx: &Transaction<'_>,
    zone: Tz,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<LaneReport>, Error> {
    let (all, rows) = (HealthArgs::default(), schedule::table().iter().collect::<Vec<_>>());
    let stopped = Stopped::read(tx, since.min(all.pauses_from(&rows, now))).await?;
    let lanes = lanes(tx, &rows, &stopped, now).await?;
    let window = Window { zone, now, since: now };
    Ok(rows.into_iter().zip(lanes).map(|(row, lane)| LaneReport::new(row, lane, vec![], window)).collect())
}

/// The facts of each row of the schedule, beyond its latest runs.
async fn lanes(
    tx: &Transaction<'_>,
    rows: &[&'static Row],
    stopped: &Stopped,
    now: DateTime<Utc>,
) -> Result<Vec<Lane>, Error> {
    let jobs: Vec<&str> = rows.iter().map(|row| row.job).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.lane).collect();
    let facts = LANES.all(tx, &[&jobs, &names]).await?;
    let deliveries = delivery::read(tx, rows, now).await?;
    let lane = |((row, facts), delivery): ((&&'static Row, &SqlRow), _)| Lane {
        stop: stopped.of(row, now),
        delivery,
        ..lane(facts)
    };
    Ok(rows.iter().zip(&facts).zip(deliveries).map(lane).collect())
}

fn run_record(row: &SqlRow) -> RunRecord {
    RunRecord {
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
    let (code, message): (Option<String>, Option<String>) = (row.get("error_code"), row.get("error_message"));
    Lane {
        expected_from: row.get("expected_from"),
        last_success: row.get::<_, Option<Uuid>>("success_id").map(|id| RunRecord {
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
        last_error: code.zip(message),
        failures: row.get("failures"),
        is_braked: row.get("is_braked"),
        in_future: row.get("future_id"),
        stop: Stop::default(),
        delivery: None,
        running: row.get::<_, Option<Uuid>>("running_id").map(|id| Running {
            id,
            started_at: row.get("running_started_at"),
            deadline_at: row.get("running_deadline_at"),
            host: row.get("running_host"),
        }),
        refused: row
            .get::<_, Option<Value>>("refused")
            .and_then(|refused| serde_json::from_value(refused).ok())
            .unwrap_or_default(),
    }
}

/// How far back somebody may look.
fn since(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_secs(1)..=SINCE_MAX)
}
