//! What is rendered: the schedule in a zone, and what the files of all schedulers have in common.

use crate::time_zone::Tz;
use chrono::TimeDelta;
use clap::Args;

use crate::error::Error;
use crate::schedule::{self, Schedule, ScheduledStart, ZoneArgs};

/// The first line of each file. Only a file that begins with it is replaced or taken away.
pub const MARK: &str = "# Rendered by `rounds schedule render`: change the schedule, not this file.";
/// Where a machine has its own schedule.
pub const OWN: &str = "/etc/rounds/schedule.toml";

#[derive(Args, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// The time zone of the clock of a machine with cron [default: the schedule zone]
    #[arg(long, value_name = "ZONE", value_parser = schedule::zone)]
    machine_zone: Option<Tz>,
}

/// What is rendered.
pub struct Plan {
    pub schedule: &'static Schedule,
    pub zone: Tz,
    pub machine: Tz,
    pub starts: Vec<ScheduledStart>,
}

impl PlanArgs {
    pub fn plan(&self) -> Result<Plan, Error> {
        let zone = self.zone.zone()?;
        let machine = self.machine_zone.unwrap_or(zone);
        Ok(Plan { schedule: schedule::current(), zone, machine, starts: schedule::starts(zone) })
    }
}

impl Plan {
    /// The name of the start with this command.
    pub fn name_of(&self, command: &str) -> Option<String> {
        self.own_starts().find(|start| start.command.join(" ") == command).map(|start| start.name.clone())
    }

    /// The starts without the backups of another scheduler.
    pub fn own_starts(&self) -> impl Iterator<Item = &ScheduledStart> {
        self.starts.iter().filter(|start| !start.is_backup)
    }
}

/// Comments on a start that every target's file has.
pub fn comments(start: &ScheduledStart) -> Vec<String> {
    let mut lines = vec![];
    if !start.note.is_empty() {
        lines.push(start.note.to_owned());
    }
    let restarts = start.cadences.len() - 1;
    if restarts > 0 {
        lines.push(format!(
            "Again each hour, {restarts} times, so that a run that failed is not lost until the next slot."
        ));
        lines.push("After a success the job skips.".to_owned());
    }
    lines
}

/// The calendar lines of a start: those of its slots and of its restarts together.
pub fn lines(start: &ScheduledStart) -> Vec<schedule::Fields> {
    let mut lines: Vec<schedule::Fields> = vec![];
    for line in start.cadences.iter().flat_map(schedule::Cadence::lines) {
        // Restarts differ in the hour alone.
        let same = |other: &&mut schedule::Fields| schedule::Fields { hours: line.hours, ..**other } == line;
        match lines.iter_mut().find(same) {
            Some(other) => other.hours = other.hours.of(other.hours.values().chain(line.hours.values())),
            None => lines.push(line),
        }
    }
    lines
}

/// The variable that holds the path of a secret.
pub fn secret_variable(secret: &str) -> String {
    match secret {
        // It is a file as such, and no single value.
        "webhook-endpoints" => "ROUNDS_WEBHOOK_ENDPOINTS".to_owned(),
        _ => format!("ROUNDS_{}_FILE", secret.to_uppercase().replace('-', "_")),
    }
}

/// The least seconds from one start to the next, restarts included.
pub fn interval_seconds(start: &ScheduledStart) -> u64 {
    let slots = start.cadences[0].interval();
    let interval = if start.cadences.len() > 1 { TimeDelta::hours(1) } else { slots };
    interval.num_seconds().unsigned_abs()
}
