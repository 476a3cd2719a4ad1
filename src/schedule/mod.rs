//! The schedule: the table of all jobs with their cadence and deadline, and the other commands that schedulers start.

mod cadence;

use std::time::Duration;

use crate::time_zone::Tz;
use chrono::{TimeDelta, Weekday};
use clap::Args;

pub use cadence::{Cadence, HOUR, Zone, clock};

use crate::clients::practiceq::ACCOUNT_ZONE;

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
}

/// The one zone that a deployment names.
#[derive(Args, Debug)]
pub struct ZoneArgs {
    /// The schedule zone: the time zone of the clocks by which the schedulers start the jobs
    #[arg(long, env = "ROUNDS_SCHEDULE_ZONE", value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    pub schedule_zone: Tz,
}

fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| "is no IANA time zone, such as America/Denver".to_owned())
}

impl Row {
    const fn new(job: &'static str, cadence: Cadence, deadline_minutes: u64) -> Self {
        Self { job, lane: "", args: &[], cadence, deadline: minutes(deadline_minutes), secrets: &[] }
    }

    const fn lane(self, lane: &'static str, args: &'static [&'static str]) -> Self {
        Self { lane, args, ..self }
    }

    const fn with_secrets(self, secrets: &'static [&'static str]) -> Self {
        Self { secrets, ..self }
    }

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

/// Every lane that a scheduler starts.
pub const TABLE: &[Row] = &[
    // At night too: one window in one zone would cut off the evening or the morning of clinics in other zones. When
    // people are told is the delivery's business.
    Row::new("mark-no-shows", Cadence::around_the_clock(5, 0), 4),
    Row::new("stage-alerts", Cadence::around_the_clock(5, 0), 4),
    Row::new("escalate-sla", Cadence::around_the_clock(15, 0), 10),
    Row::new("monitor-ticket-sla", Cadence::around_the_clock(15, 0), 10),
    // Seven minutes after the quarters of an hour, at which two other jobs read these tickets.
    Row::new("escalate-tickets", Cadence::around_the_clock(30, 7), 20),
    Row::new("advance-billing", Cadence::weekly(Weekday::Mon, clock(8, 0)), 15)
        .lane("pending-payment", &["--stage", "pending-payment"]),
    Row::new("advance-billing", Cadence::weekly(Weekday::Thu, clock(8, 0)), 15).lane("paid", &["--stage", "paid"]),
    Row::new("refresh-npi", Cadence::weekly(Weekday::Tue, clock(8, 0)), 30),
    Row::new("sync-practiceq", Cadence::Daily { at: clock(3, 0), zone: PRACTICEQ_ZONE }, 60)
        .lane("full", &[])
        .with_secrets(&["practiceq-key"]),
    Row::new("sync-practiceq", QUARTERS_BY_DAY, 10)
        .lane("incremental", &["--incremental"])
        .with_secrets(&["practiceq-key"]),
    Row::new("prune", Cadence::Daily { at: clock(4, 30), zone: Zone::Schedule }, 30),
];

/// The auxiliary commands that schedulers start: the health check, and backups for jobs that another scheduler failed
/// to start.
const AUXILIARY: &[Auxiliary] = &[
    Auxiliary { name: "health", command: &["health", "--metrics", "emf"], deadline: Duration::from_secs(30) },
    Auxiliary {
        name: "mark-no-shows-backup",
        command: &["mark-no-shows", "--source", "external", UNLESS_SUCCEEDED_WITHIN, "10m"],
        deadline: minutes(4),
    },
    Auxiliary {
        name: "stage-alerts-backup",
        command: &["stage-alerts", "--source", "external", UNLESS_SUCCEEDED_WITHIN, "10m"],
        deadline: minutes(4),
    },
];

struct Auxiliary {
    name: &'static str,
    command: &'static [&'static str],
    deadline: Duration,
}

const UNLESS_SUCCEEDED_WITHIN: &str = "--unless-succeeded-within";
/// The number of hourly restarts of a daily or weekly job, so that an interrupted run is not lost until its next day.
const HOURLY_RESTARTS: i64 = 4;
/// The age of a success up to which a restart does nothing.
const RESTART_UNLESS_WITHIN: &str = "6h";

/// A command that schedulers start, as their files contain it.
pub struct ScheduledStart {
    pub name: String,
    /// The arguments of `rounds`.
    pub command: Vec<&'static str>,
    /// The cadences of the first start and of the restarts.
    pub cadences: Vec<Cadence>,
    pub deadline: Duration,
    pub secrets: &'static [&'static str],
    /// Whether it is a backup, which only EventBridge starts.
    pub is_backup: bool,
}

/// All commands that schedulers start.
pub fn starts() -> impl Iterator<Item = ScheduledStart> {
    let jobs = TABLE.iter().map(|row| {
        let restarts = row.cadence.is_slow();
        let hours = 0..=if restarts { HOURLY_RESTARTS } else { 0 };
        let unless: &[&str] = if restarts { &[UNLESS_SUCCEEDED_WITHIN, RESTART_UNLESS_WITHIN] } else { &[] };
        ScheduledStart {
            name: row.name(),
            command: [&[row.job], row.args, unless].concat(),
            cadences: hours.map(|hours| row.cadence.later(hours)).collect(),
            deadline: row.deadline,
            secrets: row.secrets,
            is_backup: false,
        }
    });
    let auxiliary = AUXILIARY.iter().map(|auxiliary| ScheduledStart {
        name: auxiliary.name.to_owned(),
        command: auxiliary.command.to_vec(),
        cadences: vec![Cadence::around_the_clock(5, 0)],
        deadline: auxiliary.deadline,
        secrets: &[],
        is_backup: auxiliary.name.ends_with("-backup"),
    });
    jobs.chain(auxiliary)
}

const QUARTERS_BY_DAY: Cadence =
    Cadence::Every { minutes: 15, offset: 0, between: Some((clock(6, 0), clock(20, 0))), zone: PRACTICEQ_ZONE };

/// The zone of the PracticeQ account.
const PRACTICEQ_ZONE: Zone = Zone::Fixed(ACCOUNT_ZONE);

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The name of a lane.
pub fn name(job: &str, lane: &str) -> String {
    if lane.is_empty() { job.to_owned() } else { format!("{job}-{lane}") }
}

/// Whether a job has a row.
pub const fn has_job(job: &str) -> bool {
    let mut row = 0;
    while row < TABLE.len() {
        if is_equal(TABLE[row].job.as_bytes(), job.as_bytes()) {
            return true;
        }
        row += 1;
    }
    false
}

/// Equality of texts at compile time.
const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// Whether a name selects a row.
pub fn is_known(name: &str) -> bool {
    TABLE.iter().any(|row| row.is_called(name))
}

/// The names of all rows, for a message.
pub fn known() -> String {
    TABLE.iter().map(Row::name).collect::<Vec<_>>().join(", ")
}

/// The rows of a job, one for each lane.
pub fn rows(job: &str) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.job == job)
}

/// The deadline of a lane. A lane that no scheduler starts has the deadline of the job's first lane.
pub fn deadline(job: &str, lane: &str) -> Duration {
    let row = rows(job).find(|row| row.lane == lane).or_else(|| rows(job).next());
    row.map_or(minutes(4), |row| row.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_a_frequent_deadline_is_shorter_than_its_interval() {
        for (index, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.name() != row.name()), "{} is there twice", row.name());
            let interval = row.cadence.interval().to_std().expect("positive");
            assert!(row.deadline < interval, "{}: a run may still be at work when the next begins", row.name());
        }
    }
}
