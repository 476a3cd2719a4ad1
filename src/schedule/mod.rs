//! The schedule: all lanes with their cadence and deadline, and the other commands that schedulers start.
//!
//! It is what the file of the clinic says, else `default.toml`. It is read at the start of the process, and the default
//! one when it is first asked for.

mod cadence;
mod fields;
mod file;
mod slots;
mod table;
mod words;

use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use crate::time_zone::Tz;
use clap::Args;

pub use cadence::{Cadence, HOUR};
#[cfg(test)]
pub use cadence::{Zone, clock};
pub use fields::{Fields, Set};
pub use table::{Row, Schedule, has_job, name};

use table::{DEFAULT, Source, refused};

use crate::error::Error;

static DEFAULT_SCHEDULE: LazyLock<Schedule> =
    LazyLock::new(|| file::read(DEFAULT, Source::Default, None).expect("the tests read it"));
static OWN: OnceLock<Schedule> = OnceLock::new();

/// The schedule of the clinic.
#[derive(Args)]
pub struct FileArgs {
    /// The file that says which jobs are started here, and when [default: the table that `rounds schedule` prints]
    #[arg(long, global = true, env = "ROUNDS_SCHEDULE", value_name = "PATH", help_heading = "Run")]
    schedule: Option<PathBuf>,
}

impl FileArgs {
    /// Reads the file, if there is one, for all of this process.
    pub fn install(&self) -> Result<Option<&'static Schedule>, Error> {
        let Some(path) = &self.schedule else { return Ok(None) };
        let schedule = match path.to_str().filter(|text| text.contains('\n')) {
            Some(text) => file::read(text, Source::Variable, Some(&DEFAULT_SCHEDULE)),
            None => file::read(&file::text(path)?, Source::File(path.clone()), Some(&DEFAULT_SCHEDULE)),
        };
        let schedule = schedule?;
        Ok(Some(OWN.get_or_init(|| schedule)))
    }
}

/// The schedule by which this process goes.
pub fn current() -> &'static Schedule {
    OWN.get().unwrap_or_else(|| &DEFAULT_SCHEDULE)
}

/// The rows of the schedule, in its order.
pub fn table() -> &'static [Row] {
    &current().rows
}

/// The rows of a job in the default schedule.
pub fn default_rows(job: &str) -> impl Iterator<Item = &'static Row> {
    DEFAULT_SCHEDULE.rows.iter().filter(move |row| row.job == job)
}

/// The one zone that a deployment names.
#[derive(Args, Debug, Default)]
pub struct ZoneArgs {
    /// The schedule zone: the time zone of the clocks by which the schedulers start the jobs [default: that of the
    /// schedule's file, else UTC]
    #[arg(long, env = "ROUNDS_SCHEDULE_ZONE", value_name = "ZONE", value_parser = zone)]
    schedule_zone: Option<Tz>,
}

impl ZoneArgs {
    /// The zone, which is said once.
    pub fn zone(&self) -> Result<Tz, Error> {
        match (current().zone, self.schedule_zone) {
            (Some(zone), Some(other)) if zone != other => Err(refused(format!(
                "{}: its zone is {zone}, and --schedule-zone (ROUNDS_SCHEDULE_ZONE) is {other}: say it in the file \
                 alone",
                current().source
            ))),
            (zone, other) => Ok(zone.or(other).unwrap_or(Tz::UTC)),
        }
    }
}

pub fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| "is no IANA time zone, such as America/Denver".to_owned())
}

const UNLESS_SUCCEEDED_WITHIN: &str = "--unless-succeeded-within";
/// The number of hourly restarts of a daily or weekly job, so that an interrupted run is not lost until its next day.
const HOURLY_RESTARTS: u32 = 4;
/// The age of a success up to which a restart does nothing.
const RESTART_UNLESS_WITHIN: &str = "6h";

/// The health check, which every scheduler starts.
const HEALTH: &str = "health";
const HEALTH_DEADLINE: Duration = Duration::from_secs(30);

/// A command that schedulers start, as their files contain it.
pub struct ScheduledStart {
    pub name: String,
    /// The job; none of the health check.
    pub job: Option<&'static str>,
    /// The arguments of `rounds`.
    pub command: Vec<String>,
    /// The cadences of the first start and of the restarts.
    pub cadences: Vec<Cadence>,
    pub deadline: Duration,
    pub secrets: &'static [&'static str],
    pub note: &'static str,
    /// Whether it is a backup, which only EventBridge starts.
    pub is_backup: bool,
}

/// All commands that schedulers start: the jobs, the health check, and backups for jobs that another scheduler failed
/// to start.
pub fn starts(zone: Tz) -> Vec<ScheduledStart> {
    let mut starts: Vec<ScheduledStart> = table().iter().map(|row| of_row(row, zone)).collect();
    starts.push(ScheduledStart {
        name: HEALTH.to_owned(),
        job: None,
        command: texts(&[HEALTH, "--metrics", "emf"]),
        cadences: vec![Cadence::around_the_clock(5, 0)],
        deadline: HEALTH_DEADLINE,
        secrets: &[],
        note: "Publishes the health of every job, also of one that never started.",
        is_backup: false,
    });
    starts.extend(table().iter().filter(|row| row.has_backup).map(backup));
    starts
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn of_row(row: &Row, zone: Tz) -> ScheduledStart {
    let restarts = row.cadence.restarts(zone, HOURLY_RESTARTS);
    let unless: &[&str] = if restarts.is_empty() { &[] } else { &[UNLESS_SUCCEEDED_WITHIN, RESTART_UNLESS_WITHIN] };
    ScheduledStart {
        name: row.name(),
        job: Some(row.job),
        command: texts(&[&[row.job], row.args, unless].concat()),
        cadences: [vec![row.cadence], restarts].concat(),
        deadline: row.deadline,
        secrets: row.secrets,
        note: row.note,
        is_backup: false,
    }
}

fn backup(row: &Row) -> ScheduledStart {
    let within = format!("{}m", 2 * row.cadence.interval().num_minutes());
    let source = ["--source", "external", UNLESS_SUCCEEDED_WITHIN, &within];
    ScheduledStart {
        name: format!("{}-backup", row.name()),
        job: Some(row.job),
        command: texts(&[&[row.job], row.args, &source].concat()),
        cadences: vec![row.cadence],
        deadline: row.deadline,
        secrets: row.secrets,
        note: "Does something only where whoever should have started the job did not.",
        is_backup: true,
    }
}

/// Whether a name selects a row.
pub fn is_known(name: &str) -> bool {
    table().iter().any(|row| row.is_called(name))
}

/// The names of all rows, for a message.
pub fn known() -> String {
    table().iter().map(Row::name).collect::<Vec<_>>().join(", ")
}

/// The rows of a job, one for each lane.
pub fn rows(job: &str) -> impl Iterator<Item = &'static Row> {
    table().iter().filter(move |row| row.job == job)
}

/// Whether schedulers start a lane.
pub fn has(job: &str, lane: &str) -> bool {
    rows(job).any(|row| row.lane == lane)
}

/// The deadline of a lane. A lane that no scheduler starts has the deadline of another one of its job.
pub fn deadline(job: &str, lane: &str) -> Duration {
    let row = current().like(job, lane).or_else(|| DEFAULT_SCHEDULE.like(job, lane));
    row.map_or(Duration::from_secs(240), |row| row.deadline)
}

#[cfg(test)]
mod tests;
