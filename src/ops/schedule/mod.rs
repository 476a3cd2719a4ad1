//! `rounds schedule`: lists the commands that schedulers start, and their next starts. It uses no database.

mod drift;
mod render;

use crate::arg::whole;
use crate::time_zone::Tz;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::command::{listing, refuse};
use crate::exit::Exit;
use crate::output::table::{kept, minor};
use crate::output::{OutputArgs, stamp};
use crate::run::{CommonArgs, instant};
use crate::schedule::{self, Cadence, ScheduledStart, ZoneArgs};
use drift::CheckArgs;
pub use drift::{Difference, InstalledArgs};
pub use render::{Plan, PlanArgs};
use render::{RenderArgs, Rendered};

/// The period that is searched at once. Most commands are started in it; for those of a month or a year there are
/// several.
const SEARCH: TimeDelta = TimeDelta::days(8);

/// Tell what schedulers start, and when next
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    command: Option<ScheduleCommand>,
    /// How many of the next starts to tell of each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole::<u16>(1..=500))]
    next: u16,
    /// The instant from which the starts are told (RFC 3339), like --as-of [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    zone: ZoneArgs,
}

#[derive(Subcommand, Debug)]
enum ScheduleCommand {
    Render(RenderArgs),
    Check(CheckArgs),
}

pub fn schedule(args: &ScheduleArgs, common: &CommonArgs, output: &OutputArgs) -> Exit {
    let done = match &args.command {
        Some(ScheduleCommand::Render(args)) => args.render().map(|rendered| told(&rendered, output)),
        Some(ScheduleCommand::Check(args)) => {
            let found = args.plan.plan().and_then(|plan| args.installed.differences(&plan));
            found.map(|found| drift(&found, output))
        }
        None => args.zone.zone().map(|zone| list(args, zone, common, output)),
    };
    done.unwrap_or_else(|error| refuse("schedule", &error, output))
}

/// Tells which files were written.
fn told(rendered: &Rendered, output: &OutputArgs) -> Exit {
    let Rendered { written, removed } = rendered;
    let text = || {
        let lines = written.iter().map(|name| format!("written  {name}\n"));
        lines.chain(removed.iter().map(|name| format!("removed  {name}\n"))).collect()
    };
    output.print(Exit::Done, text, || json!({ "written": written, "removed": removed }))
}

/// Tells how what is installed differs.
fn drift(found: &[Difference], output: &OutputArgs) -> Exit {
    let exit = if found.is_empty() { Exit::Done } else { Exit::Failed };
    let text = || match found {
        [] => "What is installed is what the schedule says.\n".to_owned(),
        _ => found.iter().map(|one| format!("{}: {}\n", one.name, one.what)).collect(),
    };
    output.print(exit, text, || json!({ "differences": found.iter().map(Difference::json).collect::<Vec<_>>() }))
}

fn list(args: &ScheduleArgs, zone: Tz, common: &CommonArgs, output: &OutputArgs) -> Exit {
    let from = args.at.or(common.as_of).unwrap_or_else(process_clock);
    let starts: Vec<(ScheduledStart, Vec<DateTime<Utc>>)> = schedule::starts(zone)
        .into_iter()
        .map(|start| {
            let next = next(&start.cadences, zone, from, args.next.into());
            (start, next)
        })
        .collect();
    let json = || {
        let schedule: Vec<Value> = starts.iter().map(|row| shape(row, zone)).collect();
        json!({ "schedule_zone": zone.name(), "schedule": schedule })
    };
    output.print(Exit::Done, || text(&starts, zone), json)
}

/// The process's clock, which only selects the starts that a person is shown.
#[expect(clippy::disallowed_methods, reason = "it decides nothing")]
fn process_clock() -> DateTime<Utc> {
    Utc::now()
}

/// The next starts from an instant on.
fn next(cadences: &[Cadence], zone: Tz, from: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    let mut next = vec![];
    let mut since = from;
    while next.len() < count {
        let until = since + SEARCH;
        let mut slots: Vec<_> = cadences.iter().flat_map(|cadence| cadence.slots(zone, since, until)).collect();
        slots.sort_unstable();
        slots.dedup();
        next.extend(slots);
        since = until;
    }
    next.truncate(count);
    next
}

fn shape((start, next): &(ScheduledStart, Vec<DateTime<Utc>>), zone: Tz) -> Value {
    let cadence = start.cadences[0];
    json!({
        "name": start.name,
        "command": start.command,
        "cadence": cadence.to_string(),
        "starts_a_slot": start.cadences.len(),
        "time_zone": cadence.tz(zone).name(),
        "deadline_seconds": start.deadline.as_secs(),
        "secrets": start.secrets,
        "only": start.is_backup.then_some("eventbridge"),
        "next": next.iter().copied().map(stamp).collect::<Vec<_>>(),
    })
}

fn text(starts: &[(ScheduledStart, Vec<DateTime<Utc>>)], zone: Tz) -> String {
    let cells: Vec<Vec<String>> = starts
        .iter()
        .map(|(start, next)| {
            let cadence = start.cadences[0];
            let again = match start.cadences.len() {
                1 => String::new(),
                starts => format!(", {} times more, hourly", starts - 1),
            };
            let tz = cadence.tz(zone);
            vec![
                start.name.clone(),
                start.command.join(" "),
                format!("{cadence}{again}"),
                humantime::format_duration(start.deadline).to_string(),
                format!("{} {}", local(next, tz), tz.name()),
            ]
        })
        .collect();
    let names = ["name".into(), minor("rounds ..."), "when".into(), minor("deadline"), kept("next")];
    listing(&names, &cells, "Nothing is in the schedule.")
}

/// Local times, with the day where it changes.
fn local(instants: &[DateTime<Utc>], tz: Tz) -> String {
    let local: Vec<_> = instants.iter().map(|instant| instant.with_timezone(&tz)).collect();
    let texts = local.iter().enumerate().map(|(index, at)| {
        let same_day = index > 0 && local[index - 1].date_naive() == at.date_naive();
        at.format(if same_day { "%H:%M" } else { "%a %d %H:%M" }).to_string()
    });
    texts.collect::<Vec<_>>().join(" ")
}
