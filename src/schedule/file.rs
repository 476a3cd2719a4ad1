//! The reader of a schedule: one TOML text, with a table for each lane. It refuses whatever one of the schedulers could
//! not say, and names the line.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::time_zone::Tz;
use serde::Deserialize;
use toml::Spanned;

use super::cadence::{Cadence, HOUR};
use super::table::{Row, Schedule, Source, has_job, leaked, refused};
use super::words::cadence;
use crate::error::Error;

/// A job that is started more often than this may run for longer than from one start to the next: the starts between
/// find it at work, and are skipped.
const OFTEN: Duration = Duration::from_secs(5 * 60);
/// The most bytes of a file: that is some hundred lanes.
const MOST: u64 = 64 * 1024;
/// The most mistakes that are told at once.
const TOLD: usize = 10;
/// What a lane may need beside the database's address.
const SECRETS: [&str; 4] = ["practiceq-key", "twilio-token", "smtp-password", "webhook-endpoints"];
/// The characters that mean themselves to every scheduler and every shell.
const PLAIN: &str = "-_./:=,+@";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    zone: Option<Spanned<String>>,
    #[serde(default)]
    job: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    lane: Option<Spanned<String>>,
    cadence: Spanned<String>,
    hours: Option<String>,
    zone: Option<String>,
    deadline: Option<Spanned<String>>,
    args: Option<Spanned<Vec<String>>>,
    secrets: Option<Spanned<Vec<String>>>,
    note: Option<Spanned<String>>,
    backup: Option<Spanned<bool>>,
}

/// The mistakes of a text, each with its line.
struct Mistakes<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl Mistakes<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        line(self.text, span.start)
    }

    fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push((self.line(span), message.into()));
    }

    /// The value, or None with the mistake written down.
    fn check<T>(&mut self, span: Range<usize>, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.add(span, message)).ok()
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The bounded text of a file.
pub fn text(path: &Path) -> Result<String, Error> {
    let unreadable =
        |error: std::io::Error| refused(format!("{}: the schedule cannot be read: {error}", path.display()));
    let wrong = |what: &str| refused(format!("{}: the schedule {what}", path.display()));
    // Before it is opened: a pipe might never open.
    let kind = fs::metadata(path).map_err(unreadable)?;
    if !kind.is_file() {
        return Err(wrong(if kind.is_dir() { "is a directory, not a file" } else { "is no plain file" }));
    }
    let mut bytes = vec![];
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        return Err(wrong(&format!("is larger than {} KiB: it is another file", MOST / 1024)));
    }
    String::from_utf8(bytes).map_err(|_| wrong("is no UTF-8 text"))
}

/// Reads a text. What a lane does not say is as in the default schedule, if there is one.
pub fn read(text: &str, source: Source, default: Option<&Schedule>) -> Result<Schedule, Error> {
    if text.len() as u64 > MOST {
        return Err(refused(format!("{source}: the schedule is larger than {} KiB", MOST / 1024)));
    }
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(text, span.start));
        refused(format!("{source}:{line}: {}", error.message()))
    })?;
    let mut mistakes = Mistakes { text, found: vec![] };
    let zone = match &document.zone {
        Some(zone) => {
            let known = zone.get_ref().parse::<Tz>();
            let known =
                known.map_err(|()| format!("`{}` is no IANA time zone, such as America/Denver", zone.get_ref()));
            mistakes.check(zone.span(), known)
        }
        None if default.is_some() => {
            mistakes.add(0..0, "it says no zone: begin it with a line such as zone = \"America/Denver\"");
            None
        }
        None => None,
    };
    if document.job.is_empty() {
        mistakes.add(0..0, "it has no job: each is a table that begins with [[job]]");
    }
    let mut rows: Vec<Row> = vec![];
    let mut lines: Vec<usize> = vec![];
    for entry in &document.job {
        let line = mistakes.line(entry.name.span());
        let Some(row) = row(entry, zone, default, &mut mistakes) else { continue };
        match rows.iter().position(|other| other.name() == row.name()) {
            Some(other) => {
                mistakes.add(entry.name.span(), format!("{} is in line {} already", row.name(), lines[other]))
            }
            None => {
                rows.push(row);
                lines.push(line);
            }
        }
    }
    if mistakes.found.is_empty() {
        return Ok(Schedule { rows, lines, zone, source, text: leaked(text.to_owned()) });
    }
    mistakes.found.sort_by_key(|(line, _)| *line);
    let told = mistakes.found.iter().take(TOLD).map(|(line, message)| format!("{source}:{line}: {message}"));
    Err(refused(told.collect::<Vec<_>>().join("; ")))
}

/// The row of a lane; None if it has a mistake.
fn row(entry: &Entry, zone: Option<Tz>, default: Option<&Schedule>, mistakes: &mut Mistakes<'_>) -> Option<Row> {
    let (job, lane) = (entry.name.get_ref(), entry.lane.as_ref().map_or("", |lane| lane.get_ref()));
    if default.is_some() && !has_job(job) {
        mistakes.add(entry.name.span(), format!("there is no job `{job}`; `rounds --help` lists the jobs"));
        return None;
    }
    let before = mistakes.found.len();
    if let Some(span) = entry.lane.as_ref().map(Spanned::span) {
        let plain = lane.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        if !plain || lane.is_empty() {
            mistakes.add(span, format!("`{lane}` can be no part of a unit's name: small letters, digits and hyphens"));
        }
    }
    let like = default.and_then(|default| default.like(job, lane));
    let cadence = cadence(entry.cadence.get_ref(), entry.hours.as_deref(), entry.zone.as_deref());
    let cadence = mistakes.check(entry.cadence.span(), cadence.and_then(|cadence| told_apart(cadence, zone)));
    let deadline = match &entry.deadline {
        Some(deadline) => mistakes.check(deadline.span(), duration(deadline.get_ref())),
        None => like.map(|like| like.deadline),
    };
    if let (Some(cadence), Some(deadline)) = (cadence, deadline)
        && cadence.interval().to_std().is_ok_and(|interval| deadline >= interval.max(OFTEN))
    {
        let span = entry.deadline.as_ref().map_or(entry.cadence.span(), Spanned::span);
        let [deadline, interval] =
            [deadline, cadence.interval().to_std().unwrap_or_default()].map(humantime::format_duration);
        mistakes.add(
            span,
            format!("the deadline, {deadline}, is not shorter than the time between two starts, {interval}"),
        );
    }
    let same = like.filter(|like| like.lane == lane);
    let args = match &entry.args {
        Some(args) => mistakes.check(args.span(), plain(args.get_ref())),
        None => Some(same.map_or(&[][..], |like| like.args)),
    };
    let secrets = match &entry.secrets {
        Some(secrets) => mistakes.check(secrets.span(), known(secrets.get_ref())),
        None => Some(like.map_or(&[][..], |like| like.secrets)),
    };
    let note = entry.note.as_ref().map_or("", |note| note.get_ref());
    if let Some(note) = entry.note.as_ref().filter(|note| note.get_ref().chars().any(char::is_control)) {
        mistakes.add(note.span(), "a note is one line");
    }
    let has_backup = entry.backup.as_ref().is_some_and(|backup| *backup.get_ref());
    if let (Some(backup), Some(cadence)) = (&entry.backup, cadence)
        && has_backup
        && cadence.interval() > HOUR
    {
        mistakes.add(backup.span(), "a backup is for a job that is started at least hourly");
    }
    if mistakes.found.len() > before {
        return None;
    }
    Some(Row {
        job: leaked(job.clone()),
        lane: leaked(lane.to_owned()),
        args: args?,
        cadence: cadence?,
        deadline: deadline?,
        secrets: secrets?,
        note: leaked(note.to_owned()),
        has_backup,
    })
}

/// A cadence whose every time of the day is there once on each day: schedulers differ in what they do with others.
fn told_apart(cadence: Cadence, zone: Option<Tz>) -> Result<Cadence, String> {
    let Some(zone) = zone else { return Ok(cadence) };
    let Some(time) = cadence.clock_change(zone) else { return Ok(cadence) };
    Err(format!(
        "the clocks of {} skip or repeat {} (on {}), and each scheduler does something else then: take another time, \
         or UTC",
        cadence.tz(zone),
        time.format("%H:%M"),
        time.date()
    ))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| format!("`{text}` is no duration, such as 90s or 4m"))?;
    match duration.subsec_nanos() {
        0 if duration >= Duration::from_secs(10) => Ok(duration),
        _ => Err(format!("`{text}` is no deadline: whole seconds, at least 10")),
    }
}

/// Arguments that every scheduler passes on as they are.
fn plain(args: &[String]) -> Result<&'static [&'static str], String> {
    let is_plain =
        |arg: &&String| !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || PLAIN.contains(c));
    match args.iter().find(|arg| !is_plain(arg)) {
        Some(arg) => {
            Err(format!("the argument `{}` has a character that means something to a scheduler", arg.escape_debug()))
        }
        None => Ok(args.iter().cloned().map(leaked).collect::<Vec<_>>().leak()),
    }
}

fn known(secrets: &[String]) -> Result<&'static [&'static str], String> {
    let known = |secret: &String| SECRETS.iter().copied().find(|known| known == secret);
    match secrets.iter().find(|secret| known(secret).is_none()) {
        Some(unknown) => Err(format!("there is no secret `{unknown}`; there is {}", SECRETS.join(", "))),
        None => Ok(secrets.iter().filter_map(known).collect::<Vec<_>>().leak()),
    }
}
