//! The one final report on stdout: text on a terminal, JSON for a program.

mod colour;
mod csv;
mod fields;
mod job_name;
pub mod log;
pub mod metrics;
pub mod table;
pub mod telling;
pub mod visible;
pub mod words;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use serde_json::Value;
use tracing::error;

pub use colour::{Colour, asked, choose, colour, stderr_colour};
pub use job_name::JobName;
pub use table::folded;
pub use words::counted;

use crate::arg::truth;
use crate::error::file_error;
use crate::exit::Exit;
use crate::time_zone::Tz;

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How the final report on stdout is written; csv has a line for each row of a list, with the keys of the JSON as
    /// columns [default: text on a terminal, else json]
    #[arg(long, global = true, env = "ROUNDS_OUTPUT", value_enum)]
    pub output: Option<OutputFormat>,
    /// Print nothing where all is well (exit 0), so that cron sends no mail: no report, and no log line below a warning
    #[arg(long, short, global = true, env = "ROUNDS_QUIET", value_parser = truth)]
    pub quiet: bool,
    /// When tables, reports and log lines are coloured; auto is on a terminal, and heeds NO_COLOR, CLICOLOR and CLICOLOR_FORCE
    #[arg(long, global = true, env = "ROUNDS_COLOR", value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Text,
    Json,
    Csv,
}

/// The text of an instant in a report.
pub fn stamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An instant in a table: the time of a zone's clocks, and the zone's abbreviation then.
pub fn local_stamp(instant: DateTime<Utc>, zone: Tz) -> String {
    format!("{} {}", local_minute(instant, zone), zone.abbreviation(instant))
}

/// The same without the abbreviation, where that is said beside.
pub fn local_minute(instant: DateTime<Utc>, zone: Tz) -> String {
    instant.with_timezone(&zone).format("%F %H:%M").to_string()
}

/// The text of a duration: seconds below two minutes, else minutes, hours or days.
pub fn span(time: TimeDelta) -> String {
    let time = time.max(TimeDelta::zero());
    match time.num_seconds() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The text of a length of time as a person gives it to an option: whole days from two on, hours, minutes or seconds.
pub fn setting(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 && seconds > 86_400 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3_600 == 0 && seconds > 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 && seconds > 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

impl OutputArgs {
    pub fn resolve(&self) -> OutputFormat {
        self.output.unwrap_or(if std::io::stdout().is_terminal() { OutputFormat::Text } else { OutputFormat::Json })
    }

    /// Writes the report of what ended with `exit`, unless all is well and nobody wants to read that. Returns the exit
    /// code.
    pub fn print(&self, exit: Exit, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Exit {
        if self.quiet && exit == Exit::Done {
            return exit;
        }
        let report = match self.resolve() {
            OutputFormat::Text => visible::report(text().trim_end(), colour()).into_owned(),
            OutputFormat::Json => visible::json(&json().to_string()).into_owned(),
            OutputFormat::Csv => return print(exit, csv::text(&json()).as_bytes()),
        };
        print(exit, format!("{report}\n").as_bytes())
    }
}

/// Writes bytes unchanged for a program, and so that they can be looked at on a terminal. Returns the exit code.
pub fn print_bytes(exit: Exit, bytes: &[u8]) -> Exit {
    match io::stdout().is_terminal() {
        true => print(exit, visible::report(&String::from_utf8_lossy(bytes), false).as_bytes()),
        false => print(exit, bytes),
    }
}

/// Writes the output of what ended with `exit`. Returns the exit code, which is that of a failure where a success cannot
/// be told. A reader that has gone away changes no outcome.
pub fn print(exit: Exit, bytes: &[u8]) -> Exit {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let cause = file_error(&error);
            error!(
                error_code = "OUTPUT_NOT_WRITTEN",
                "stdout could not be written ({cause}); what was changed, if anything, is committed"
            );
            if exit == Exit::Done { Exit::Failed } else { exit }
        }
        _ => exit,
    }
}
