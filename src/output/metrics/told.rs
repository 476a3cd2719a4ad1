//! What is told of a lane, whatever it is told to.

use chrono::{DateTime, Utc};

/// A lane as it is at the end of this process.
#[derive(Clone, Debug)]
pub struct Told {
    /// The name in the schedule.
    pub name: String,
    /// Job and lane; None where nothing lasting can be said: of a dry run, and of a lane that no schedule has.
    pub lane: Option<(String, String)>,
    pub healthy: bool,
    pub by: By,
    /// Of a lane that sends messages: for how long the oldest one has been due, if that is known.
    pub oldest_pending_seconds: Option<u64>,
}

/// Who says it.
#[derive(Clone, Debug)]
pub enum By {
    /// A run that has ended.
    Run(Figures),
    /// A run that did nothing, because another one is at work, has done it, or a person has stopped it.
    Skipped(Figures),
    /// `health`, of a lane whose runs were other processes. None where the database could not be asked.
    Health(Option<History>),
}

/// The figures of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub duration_ms: u64,
    pub processed: u64,
    pub failed: u64,
    /// The messages to people that it staged; None of a job that tells nobody.
    pub notifications: Option<u64>,
}

/// What the database has of a lane.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// Of the last run that did something, if it is not too long ago.
    pub last: Option<Figures>,
    pub succeeded_at: Option<DateTime<Utc>>,
}
