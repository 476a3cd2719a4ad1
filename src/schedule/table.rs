//! The rows of a schedule.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::time_zone::Tz;
use chrono::TimeDelta;

use super::cadence::Cadence;
use crate::error::{Error, ErrorKind};

/// A row of the schedule: one lane of a job.
pub struct Row {
    pub job: &'static str,
    /// The lane, which may run at the same time as others and has its own health; '' if the job has one lane.
    pub lane: &'static str,
    /// The arguments behind the job's name for this lane.
    pub args: &'static [&'static str],
    pub cadence: Cadence,
    /// The duration after which a run stops itself.
    pub deadline: Duration,
    /// The secrets that it needs in addition to the database's address.
    pub secrets: &'static [&'static str],
    /// What people should know of it in the schedulers' files.
    pub note: &'static str,
    /// Whether EventBridge also starts it where another scheduler did not.
    pub has_backup: bool,
}

/// A schedule, read.
pub struct Schedule {
    pub rows: Vec<Row>,
    /// The line of each row.
    pub lines: Vec<usize>,
    /// The schedule zone. The default schedule has none.
    pub zone: Option<Tz>,
    pub source: Source,
    pub text: &'static str,
}

pub const DEFAULT: &str = include_str!("default.toml");

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    /// The variable itself has the text, for a container without files.
    Variable,
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default.toml"),
            Self::Variable => f.write_str("ROUNDS_SCHEDULE"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Row {
    /// The name in units, CronJobs and reports: the job, or job-lane if there are lanes.
    pub fn name(&self) -> String {
        name(self.job, self.lane)
    }

    /// The deadline as a `TimeDelta`.
    pub fn time_limit(&self) -> TimeDelta {
        TimeDelta::from_std(self.deadline).unwrap_or(TimeDelta::MAX)
    }

    /// Whether a name selects this row: its own name, or the name of its job.
    pub fn is_called(&self, name: &str) -> bool {
        name == self.job || name == self.name()
    }
}

impl Schedule {
    /// The row of a lane, else another one of its job.
    pub fn like(&self, job: &str, lane: &str) -> Option<&Row> {
        let of_job = || self.rows.iter().filter(|row| row.job == job);
        of_job().find(|row| row.lane == lane).or_else(|| of_job().next())
    }

    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }

    /// An error about a row, with its line.
    pub fn refuse(&self, row: usize, message: &str) -> Error {
        let line = self.lines.get(row).copied().unwrap_or(1);
        refused(format!("{}:{line}: {message}", self.source))
    }
}

/// The name of a lane.
pub fn name(job: &str, lane: &str) -> String {
    if lane.is_empty() { job.to_owned() } else { format!("{job}-{lane}") }
}

/// Whether a job has a row in the default schedule, which has one for each job.
pub const fn has_job(job: &str) -> bool {
    let (text, job) = (DEFAULT.as_bytes(), job.as_bytes());
    let mut at = 0;
    while at < text.len() {
        if is_at(text, at, b"\nname = \"") && is_at(text, at + 9, job) && is_at(text, at + 9 + job.len(), b"\"\n") {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a text has these bytes at an offset, at compile time.
const fn is_at(text: &[u8], at: usize, bytes: &[u8]) -> bool {
    let mut index = 0;
    while index < bytes.len() && at + index < text.len() && text[at + index] == bytes[index] {
        index += 1;
    }
    index == bytes.len()
}

/// The error of a schedule.
pub fn refused(message: impl Into<String>) -> Error {
    Error::new("SCHEDULE", ErrorKind::Refused, message)
}

/// A text that lives as long as the process: a schedule is read once.
pub fn leaked(text: String) -> &'static str {
    if text.is_empty() { "" } else { text.leak() }
}
