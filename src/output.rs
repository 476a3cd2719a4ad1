//! The one final report on stdout: text when a person looks, JSON when a program does.

use std::io::{IsTerminal, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use serde_json::Value;

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How the final report on stdout is written [default: text on a terminal, else json]
    #[arg(long, global = true, env = "ROUNDS_OUTPUT", value_enum)]
    pub output: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// Whether colours are wanted on stdout: by a person at a terminal who has not said NO_COLOR.
pub fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
}

/// An instant as reports write it.
pub fn stamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl OutputArgs {
    pub fn resolve(&self) -> Output {
        self.output.unwrap_or(if std::io::stdout().is_terminal() { Output::Text } else { Output::Json })
    }

    /// Writes something as it is.
    pub fn raw(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }

    /// Writes the report. A reader that has gone away changes no outcome: the work is done and recorded.
    pub fn print(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) {
        let report = match self.resolve() {
            Output::Text => text(),
            Output::Json => json().to_string(),
        };
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{}", report.trim_end()).and_then(|()| stdout.flush());
    }
}
