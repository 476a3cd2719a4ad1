//! The stage of the chapters. A chapter puts its cast there, starts commands as a scheduler or a person starts them, in
//! processes of their own, and shows what was decided. What it shows it expects: where the database says something else,
//! the demo fails.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, anyhow, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::cast::{self, When};
use super::clinic::Clinic;
use super::clock::{MONDAY, instant};
use super::page::{Look, Page};
use super::provider::Endpoint;
use super::scratch::Scratch;
use crate::db::Row;

/// When the chapters play, unless they say otherwise: after the front desk has closed.
const EVENING: &str = "18:30";
/// What a run's report says beside its counts.
const NO_COUNTS: [&str; 4] = ["duration_ms", "scanned", "checked", "sync_log_id"];

pub struct Stage<'a> {
    pub page: &'a Page,
    pub clinic: Clinic,
    pub server: &'a Scratch,
    pub provider: Endpoint,
    pub now: DateTime<Utc>,
    /// This program.
    program: PathBuf,
}

/// A command line, what its environment has beside the database, and the exit code that it must have.
pub struct Line {
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
    folder: Option<PathBuf>,
    exit: i32,
    /// Whether it plays at the time of the stage; else the clock decides.
    played: bool,
}

/// A command that has ended.
pub struct Ended {
    pub report: Value,
}

impl Line {
    /// The words of a command line, without quotes.
    pub fn of(words: &str) -> Self {
        let words = words.split(' ').map(str::to_owned).collect();
        Self { words, variables: vec![], folder: None, exit: 0, played: true }
    }

    /// With an option whose value has several words.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.words.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// With a variable, such as a secret or an address.
    pub fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// In a folder, in which its files are.
    pub fn inside(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// At the clock's time instead of the stage's.
    pub fn by_the_clock(self) -> Self {
        Self { played: false, ..self }
    }

    /// That must end with this exit code instead of 0.
    pub fn exits(self, exit: i32) -> Self {
        Self { exit, ..self }
    }

    /// As a person would type it.
    fn typed(&self) -> String {
        let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
        format!("$ rounds {}", self.words.iter().map(quoted).collect::<Vec<_>>().join(" "))
    }
}

impl<'a> Stage<'a> {
    pub async fn new(page: &'a Page, server: &'a Scratch, clinic: Clinic) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let provider = Endpoint::open().await?;
        Ok(Self { page, clinic, server, provider, now: instant(EVENING), program })
    }

    /// Begins a chapter, in the evening: its heading, what it is about, and its cast.
    pub async fn open(&mut self, title: &str, about: &str, cast: &str) -> anyhow::Result<()> {
        self.now = instant(EVENING);
        self.page.heading(title)?;
        self.say(about)?;
        When { day: MONDAY, now: self.now }.put(self.clinic.client(), cast).await?;
        Ok(cast::finish(self.clinic.client()).await?)
    }

    /// Lets time pass.
    pub fn later(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
    }

    /// Says something, in faint letters.
    pub fn say(&self, text: &str) -> anyhow::Result<()> {
        Ok(self.page.text(|line| self.page.paint(Look::Dim, line), text)?)
    }

    /// Runs a command to its end, and shows its line, the outcome and the counts. It fails where the exit code is
    /// another one than the line says.
    pub async fn run(&self, line: Line) -> anyhow::Result<Ended> {
        let child = self.start(&line)?;
        self.finish(line, child).await
    }

    /// Starts a command and goes on. It is killed where the demo ends before it.
    pub fn start(&self, line: &Line) -> anyhow::Result<Child> {
        self.page.line(self.page.paint(Look::Bold, &line.typed()))?;
        let now = self.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut command = Command::new(&self.program);
        command.args(&line.words).env_clear().env("TMPDIR", std::env::temp_dir());
        // What a file of settings says is not of the demo.
        command
            .env("ROUNDS_CONFIG", "none")
            .env("DATABASE_URL", &self.clinic.url)
            .env("ROUNDS_OUTPUT", "json")
            .env("ROUNDS_SOURCE", "cron");
        if line.played {
            command.env("ROUNDS_ALLOW_AS_OF", "1").env("ROUNDS_AS_OF", &now).env("ROUNDS_SCHEDULED_FOR", &now);
        }
        command.current_dir(line.folder.as_deref().unwrap_or(Path::new("/")));
        command.envs(line.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().context("this program cannot be started")
    }

    /// Waits for a command, as [`Stage::run`] does.
    pub async fn finish(&self, line: Line, child: Child) -> anyhow::Result<Ended> {
        let output = child.wait_with_output().await.with_context(|| line.typed())?;
        let (said, logged) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let what =
            || format!("{} was to end with exit code {}: {}\n{said}{logged}", line.typed(), line.exit, output.status);
        ensure!(output.status.code() == Some(line.exit), what());
        let report: Value = serde_json::from_str(&said).with_context(|| format!("{}: no report", line.typed()))?;
        if let Some(outcome) = outcome(&report, line.exit) {
            self.page.text(str::to_owned, &outcome)?;
        }
        Ok(Ended { report })
    }

    /// Shows why a run would or would not do something with a row: the job's own words, which must have these in them.
    pub async fn explain(&self, words: &str, expected: &str) -> anyhow::Result<()> {
        let ended = self.run(Line::of(words)).await?;
        let explanation = ended.report["explanation"].as_str().unwrap_or_default();
        ensure!(explanation.contains(expected), "{words} was to say \"{expected}\", and says \"{explanation}\"");
        for sentence in explanation.lines() {
            self.page.text(|line| self.page.paint(Look::Cyan, line), sentence)?;
        }
        Ok(())
    }

    /// Shows the rows of a query, whose columns are texts. They must be these, their columns divided by " | ".
    pub async fn shows(&self, query: &str, expected: &[&str]) -> anyhow::Result<()> {
        let rows = self.clinic.rows(query, &[]).await?;
        same(rows.iter().map(told).collect(), expected)?;
        Ok(self.page.table(&rows, true)?)
    }

    /// Runs a command that lists, and shows these keys of its list `key`, which must be these.
    pub async fn lists(&self, line: Line, key: &str, columns: &[&str], expected: &[&str]) -> anyhow::Result<()> {
        let ended = self.run(line).await?;
        let rows = ended.report[key].as_array().context("the command has no such list")?;
        let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).replace("null", "");
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|column| cell(&row[column])).collect()).collect();
        same(rows.iter().map(|row| row.join(" | ")).collect(), expected)?;
        Ok(self.page.cells(columns, &rows)?)
    }

    /// The number that a query gives.
    pub async fn count(&self, query: &str) -> anyhow::Result<i64> {
        let rows = self.clinic.rows(query, &[]).await?;
        Ok(rows.first().ok_or_else(|| anyhow!("no number"))?.get(0))
    }
}

fn same(found: Vec<String>, expected: &[&str]) -> anyhow::Result<()> {
    if found != expected {
        bail!("expected\n  {}\nfound\n  {}", expected.join("\n  "), found.join("\n  "));
    }
    Ok(())
}

/// The columns of a row as one text.
fn told(row: &Row) -> String {
    let cell = |index| row.get::<_, Option<&str>>(index).unwrap_or("").to_owned();
    (0..row.names().count()).map(cell).collect::<Vec<_>>().join(" | ")
}

/// The outcome of a run and its counts that are not zero; None of a command that is no run.
fn outcome(report: &Value, exit: i32) -> Option<String> {
    let status = report["status"].as_str().filter(|_| report.get("run_id").is_some())?;
    let counts = report.as_object()?.iter().filter(|(key, _)| !NO_COUNTS.contains(&key.as_str()));
    let counts = counts.filter_map(|(key, value)| {
        let count = value.as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {}", key.replace('_', " ")))
    });
    let mut text = status.to_owned();
    if exit != 0 {
        text += &format!(", exit code {exit}");
    }
    let code = report["error_code"].as_str().map(|code| format!("{} [{code}]", text_of(report, "error_message")));
    let words: Vec<String> = code.into_iter().chain(counts).collect();
    Some(if words.is_empty() { text } else { format!("{text}: {}", words.join(" · ")) })
}

fn text_of<'r>(report: &'r Value, key: &str) -> &'r str {
    report[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_told_by_its_outcome_and_its_counts() {
        let report = json!({ "run_id": "r", "status": "COMPLETED", "scanned": 3, "marked": 2, "slots_released": 1, "failed": 0 });
        assert_eq!(outcome(&report, 0).as_deref(), Some("COMPLETED: 2 marked · 1 slots released"));
        let report = json!({ "run_id": "r", "status": "FAILED", "error_code": "BRAKE", "error_message": "too much" });
        assert_eq!(outcome(&report, 5).as_deref(), Some("FAILED, exit code 5: too much [BRAKE]"));
        assert_eq!(outcome(&json!({ "undone": 1 }), 0), None);
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let line = Line::of("no-show undo 7").option("--reason", "was there").variable("SECRET", "x");
        assert_eq!(line.typed(), "$ rounds no-show undo 7 --reason 'was there'");
    }
}
