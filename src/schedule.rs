//! The one table: which job runs when, and how long it may take.

use std::time::Duration;

/// A row of the table.
pub struct Row {
    pub job: &'static str,
    /// When a scheduler should start it, in words. "The schedule zone" is the one zone that a deployment names.
    pub cadence: &'static str,
    /// After this long a run stops itself.
    pub deadline: Duration,
}

/// Every job that is meant to be started by a scheduler.
pub const TABLE: &[Row] = &[
    Row { job: "mark-no-shows", cadence: FIVE_MINUTES_BY_DAY, deadline: Duration::from_secs(4 * 60) },
    Row { job: "stage-alerts", cadence: FIVE_MINUTES_BY_DAY, deadline: Duration::from_secs(4 * 60) },
];

const FIVE_MINUTES_BY_DAY: &str = "every 5 minutes, 07:00-22:55, the schedule zone";

/// The row of a job.
pub fn row(job: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.job == job)
}
