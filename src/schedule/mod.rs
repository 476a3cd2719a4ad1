//! The one table: which job runs when, and how long it may take.

mod cadence;

use std::time::Duration;

use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;
use clap::Args;

pub use cadence::{Cadence, HOUR, Zone, clock};

use crate::clients::practiceq::ACCOUNT_ZONE;

/// A row of the table.
pub struct Row {
    pub job: &'static str,
    /// What may run side by side, and is judged apart; '' where a job has one lane.
    pub lane: &'static str,
    /// What stands behind the job's name for this lane.
    pub args: &'static [&'static str],
    /// When a scheduler should start it.
    pub cadence: Cadence,
    /// After this long a run stops itself.
    pub deadline: Duration,
    /// What it needs to be told in secret, beside the database's address.
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

    /// As units, CronJobs and people call it: the job, or job-lane where there are lanes.
    pub fn name(&self) -> String {
        name(self.job, self.lane)
    }

    /// The deadline, to reckon with.
    pub fn time_limit(&self) -> TimeDelta {
        TimeDelta::from_std(self.deadline).unwrap_or(TimeDelta::MAX)
    }

    /// Whether a name means this row: its own, or the job's with all its lanes.
    pub fn is_called(&self, name: &str) -> bool {
        name == self.job || name == self.name()
    }
}

/// Every lane of a job that is meant to be started by a scheduler.
pub const TABLE: &[Row] = &[
    Row::new("mark-no-shows", FIVE_MINUTES_BY_DAY, 4),
    Row::new("stage-alerts", FIVE_MINUTES_BY_DAY, 4),
    Row::new("escalate-sla", Cadence::around_the_clock(15, 0), 10),
    Row::new("monitor-ticket-sla", Cadence::around_the_clock(15, 0), 10),
    // Beside the quarters, at which the other two read the same tickets.
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

/// What schedulers start beside the jobs: who watches them, and who stands in where another scheduler does not start them.
const BESIDE: &[Beside] = &[
    Beside { name: "health", command: &["health", "--metrics", "emf"], deadline: Duration::from_secs(30) },
    Beside {
        name: "mark-no-shows-backup",
        command: &["mark-no-shows", "--source", "external", WITHIN, "10m"],
        deadline: minutes(4),
    },
    Beside {
        name: "stage-alerts-backup",
        command: &["stage-alerts", "--source", "external", WITHIN, "10m"],
        deadline: minutes(4),
    },
];

struct Beside {
    name: &'static str,
    command: &'static [&'static str],
    deadline: Duration,
}

const WITHIN: &str = "--unless-succeeded-within";
/// What runs daily or weekly is started again each hour, so often, and does nothing where it succeeded so short a time ago: so
/// that one that was interrupted is not lost until its next day.
const AGAIN: i64 = 4;
const LATELY: &str = "6h";

/// What a scheduler starts: the table as its files say it.
pub struct Start {
    pub name: String,
    /// Behind `rounds`.
    pub command: Vec<&'static str>,
    /// Each is a start.
    pub cadences: Vec<Cadence>,
    pub deadline: Duration,
    pub secrets: &'static [&'static str],
    /// Whether EventBridge alone starts it.
    pub stands_in: bool,
}

/// Everything that schedulers start.
pub fn starts() -> impl Iterator<Item = Start> {
    let jobs = TABLE.iter().map(|row| {
        let again = row.cadence.is_slow();
        let hours = 0..=if again { AGAIN } else { 0 };
        let within: &[&str] = if again { &[WITHIN, LATELY] } else { &[] };
        Start {
            name: row.name(),
            command: [&[row.job], row.args, within].concat(),
            cadences: hours.map(|hours| row.cadence.later(hours)).collect(),
            deadline: row.deadline,
            secrets: row.secrets,
            stands_in: false,
        }
    });
    let beside = BESIDE.iter().map(|beside| Start {
        name: beside.name.to_owned(),
        command: beside.command.to_vec(),
        cadences: vec![Cadence::around_the_clock(5, 0)],
        deadline: beside.deadline,
        secrets: &[],
        stands_in: beside.name.ends_with("-backup"),
    });
    jobs.chain(beside)
}

const QUARTERS_BY_DAY: Cadence =
    Cadence::Every { minutes: 15, offset: 0, between: Some((clock(6, 0), clock(20, 0))), zone: PRACTICEQ_ZONE };
const FIVE_MINUTES_BY_DAY: Cadence =
    Cadence::Every { minutes: 5, offset: 0, between: Some((clock(7, 0), clock(22, 55))), zone: Zone::Schedule };

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
        if same(TABLE[row].job.as_bytes(), job.as_bytes()) {
            return true;
        }
        row += 1;
    }
    false
}

/// Equality of texts, while the program is compiled.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// The rows of a job, one a lane.
pub fn rows(job: &str) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.job == job)
}

/// The deadline of a lane; one that no scheduler starts has that of the job's first.
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
