//! The one final report on stdout: text on a terminal, JSON for a program.

pub mod log;
pub mod metrics;
pub mod table;

use std::io::{IsTerminal, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use serde_json::Value;

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How the final report on stdout is written [default: text on a terminal, else json]
    #[arg(long, global = true, env = "ROUNDS_OUTPUT", value_enum)]
    pub output: Option<OutputFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Text,
    Json,
}

/// Whether stdout gets colours: it is a terminal, and NO_COLOR is not set.
pub fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
}

/// The text of an instant in a report.
pub fn stamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
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

impl OutputArgs {
    pub fn resolve(&self) -> OutputFormat {
        self.output.unwrap_or(if std::io::stdout().is_terminal() { OutputFormat::Text } else { OutputFormat::Json })
    }

    /// Writes bytes unchanged.
    pub fn raw(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }

    /// Writes the report. A reader that has gone away changes no outcome, because the work is done and recorded.
    pub fn print(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) {
        let report = match self.resolve() {
            OutputFormat::Text => text(),
            OutputFormat::Json => json().to_string(),
        };
        print_line(report.trim_end());
    }
}

/// Writes a line. A reader that has gone away changes no outcome.
pub fn print_line(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
