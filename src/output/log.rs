//! Logs on stderr, one line for each event. Only this crate's own `tracing` events are logged. There is no bridge from
//! the `log` crate, because through it database drivers would print bound parameters, and with them patients' data.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::prelude::*;

use super::fields::write_field;
use super::visible::LogLines;
use super::words::wrapped;
use super::{OutputArgs, table};
use crate::{systemd, trace};

/// Where our own events come from.
const OURS: &str = env!("CARGO_CRATE_NAME");

#[derive(Args, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// How log lines on stderr are written
    #[arg(long, global = true, env = "ROUNDS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// The least severe level that is logged; debug adds a line for each changed id [default: info; warn on a terminal and
    /// with --quiet]
    #[arg(long, global = true, env = "ROUNDS_LOG_LEVEL", value_enum)]
    pub log_level: Option<LogLevel>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Whether a person reads the report on the same terminal, so that the log need not repeat it.
static IS_REPORT_SEEN: AtomicBool = AtomicBool::new(false);

/// Whether somebody waits at a terminal and wants to see how far a run is.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// Whether progress is drawn on stderr.
pub fn is_watched() -> bool {
    IS_WATCHED.load(Ordering::Relaxed)
}

/// Whether the log may leave out what the report says.
pub fn is_report_seen() -> bool {
    IS_REPORT_SEEN.load(Ordering::Relaxed)
}

/// Starts logging. It is called once, before the first event. Without --log-level the log of a command is quiet where a
/// person reads its report: with --quiet, and on a terminal. `own` is the level of a command that has another.
pub fn init(args: &LogArgs, output: &OutputArgs, own: Option<LogLevel>) {
    let is_terminal = std::io::stderr().is_terminal();
    let is_quiet = output.quiet || is_terminal;
    let asked = args.log_level.map(ours_at).or_else(|| std::env::var("RUST_LOG").ok().and_then(|text| ours_of(&text)));
    let asked = asked.or_else(|| own.map(ours_at));
    let is_seen = is_terminal && std::io::stdout().is_terminal();
    IS_REPORT_SEEN.store(is_seen && asked.is_none(), Ordering::Relaxed);
    IS_WATCHED.store(is_terminal && !output.quiet, Ordering::Relaxed);
    let as_json = matches!(args.log_format, LogFormat::Json);
    let coloured = super::stderr_colour() && !as_json;
    let width = table::stderr_width().filter(|_| !as_json);
    let writers = Writers { width, as_json, coloured, is_journal: systemd::is_journal() };
    let lines = tracing_subscriber::fmt::layer().with_writer(writers).with_target(false);
    let only_ours = asked.unwrap_or_else(|| ours_at(if is_quiet { LogLevel::Warn } else { LogLevel::Info }));
    let registry = tracing_subscriber::registry().with(only_ours);
    match args.log_format {
        LogFormat::Text => {
            let fields = debug_fn(write_field).delimited(" ");
            registry.with(lines.with_ansi(coloured).fmt_fields(fields)).init();
        }
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
}

/// Our own events from a level on.
fn ours_at(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_target(OURS, level)
}

/// What a text as that of RUST_LOG chooses of our own events: those of libraries may hold parameters and headers. None if
/// it says nothing of them, or is no such text.
fn ours_of(text: &str) -> Option<Targets> {
    // A blank part would be read as a level.
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let asked: Targets = parts.join(",").parse().ok().filter(|_| !parts.is_empty())?;
    let is_ours =
        |target: &str| target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let ours: Vec<_> = asked.iter().filter(|(target, _)| is_ours(target)).collect();
    if asked.default_level().is_none() && ours.is_empty() {
        return None;
    }
    let others = asked.default_level().unwrap_or(LevelFilter::ERROR);
    Some(Targets::new().with_target(OURS, others).with_targets(ours))
}

/// Makes the writer of each event.
struct Writers {
    width: Option<usize>,
    as_json: bool,
    coloured: bool,
    /// Whether stderr is the journal's, which reads a priority at the begin of each line and takes it away.
    is_journal: bool,
}

impl<'a> MakeWriter<'a> for Writers {
    type Writer = LogLines<Folding>;

    fn make_writer(&'a self) -> Self::Writer {
        self.of_level(Level::INFO)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        self.of_level(*event.level())
    }
}

impl Writers {
    fn of_level(&self, level: Level) -> LogLines<Folding> {
        let &Self { width, as_json, coloured, is_journal } = self;
        let priority = if is_journal { systemd::priority(level) } else { "" };
        LogLines { to: Folding { width, as_json, priority }, as_json, coloured }
    }
}

/// Writes each event to stderr, in lines that end at a word before the width of the terminal.
struct Folding {
    /// None where stderr is no terminal, or the event is JSON: it is one line.
    width: Option<usize>,
    as_json: bool,
    priority: &'static str,
}

impl Write for Folding {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // An event is written at once, and is text.
        let text = String::from_utf8_lossy(event);
        let text = trace::id().map_or(Cow::Borrowed(&*text), |id| with_trace(&text, id, self.as_json).into());
        match (self.width, self.priority) {
            (Some(_), _) => io::stderr().write_all(wrapped(&text, self.width, "  ").as_bytes())?,
            (None, "") => io::stderr().write_all(text.as_bytes())?,
            (None, priority) => io::stderr().write_all(format!("{priority}{text}").as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An event with the id of the trace that is on.
fn with_trace(event: &str, id: &str, as_json: bool) -> String {
    let (line, end) = event.strip_suffix('\n').map_or((event, ""), |line| (line, "\n"));
    match line.strip_suffix('}').filter(|_| as_json) {
        Some(members) => format!("{members},\"trace_id\":\"{id}\"}}{end}"),
        None => format!("{line} trace_id={id}{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_id_of_the_trace() {
        assert_eq!(with_trace("INFO run started\n", "4bf9", false), "INFO run started trace_id=4bf9\n");
        assert_eq!(with_trace("{\"a\":{}}\n", "4bf9", true), "{\"a\":{},\"trace_id\":\"4bf9\"}\n");
    }

    #[test]
    fn rust_log_chooses_among_our_own_events_alone() {
        let would =
            |text: &str, target: &str, level: Level| ours_of(text).map(|ours| ours.would_enable(target, &level));
        assert_eq!(would("debug", "rounds::run::batch", Level::DEBUG), Some(true));
        assert_eq!(would("debug", "h2::proto", Level::ERROR), Some(false));
        assert_eq!(would("trace,h2=trace", "h2::proto", Level::TRACE), Some(false));
        assert_eq!(would("warn,rounds::run=debug", "rounds::run::batch", Level::DEBUG), Some(true));
        assert_eq!(would("warn,rounds::run=debug", "rounds::db", Level::INFO), Some(false));
        assert_eq!(would("rounds::run=debug", "rounds::db", Level::ERROR), Some(true));
        assert_eq!(would("info,", "rounds::db", Level::INFO), Some(true));
        for nothing in ["", " , ", "h2=trace", "roundsman=debug", "rounds[span]=x=y"] {
            assert!(ours_of(nothing).is_none(), "{nothing}");
        }
    }
}
