//! The one table: which job runs when, and how long it may take.

mod cadence;

use std::time::Duration;

use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;
use clap::Args;

pub use cadence::{Cadence, HOUR, Zone, clock};

/// A row of the table.
pub struct Row {
    pub job: &'static str,
    /// What may run side by side, and is judged apart; '' where a job has one lane.
    pub lane: &'static str,
    /// When a scheduler should start it.
    pub cadence: Cadence,
    /// After this long a run stops itself.
    pub deadline: Duration,
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
    Row { job: "mark-no-shows", lane: "", cadence: FIVE_MINUTES_BY_DAY, deadline: minutes(4) },
    Row { job: "stage-alerts", lane: "", cadence: FIVE_MINUTES_BY_DAY, deadline: minutes(4) },
    Row { job: "escalate-sla", lane: "", cadence: Cadence::around_the_clock(15), deadline: minutes(10) },
    Row { job: "monitor-ticket-sla", lane: "", cadence: Cadence::around_the_clock(15), deadline: minutes(10) },
    Row { job: "escalate-tickets", lane: "", cadence: Cadence::around_the_clock(30), deadline: minutes(20) },
    Row {
        job: "advance-billing",
        lane: "pending-payment",
        cadence: Cadence::weekly(Weekday::Mon, clock(8, 0)),
        deadline: minutes(15),
    },
    Row {
        job: "advance-billing",
        lane: "paid",
        cadence: Cadence::weekly(Weekday::Thu, clock(8, 0)),
        deadline: minutes(15),
    },
    Row { job: "refresh-npi", lane: "", cadence: Cadence::weekly(Weekday::Tue, clock(8, 0)), deadline: minutes(30) },
    Row {
        job: "sync-practiceq",
        lane: "full",
        cadence: Cadence::Daily { at: clock(3, 0), zone: DENVER },
        deadline: minutes(60),
    },
    Row {
        job: "sync-practiceq",
        lane: "incremental",
        cadence: Cadence::Every { minutes: 15, between: Some((clock(6, 0), clock(20, 0))), zone: DENVER },
        deadline: minutes(10),
    },
    Row {
        job: "prune",
        lane: "",
        cadence: Cadence::Daily { at: clock(4, 30), zone: Zone::Schedule },
        deadline: minutes(30),
    },
];

const FIVE_MINUTES_BY_DAY: Cadence =
    Cadence::Every { minutes: 5, between: Some((clock(7, 0), clock(22, 55))), zone: Zone::Schedule };

/// Where the PracticeQ account is.
const DENVER: Zone = Zone::Fixed(Tz::America__Denver);

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The name of a lane.
pub fn name(job: &str, lane: &str) -> String {
    if lane.is_empty() { job.to_owned() } else { format!("{job}-{lane}") }
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
