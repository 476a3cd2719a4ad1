//! `rounds runs watch`: what runs, and what ended lately, until a signal.
//!
//! On a terminal it is a table that is drawn again at each look. Elsewhere, and with `--output json`, each beginning and
//! each end of a run is a line, which is written at once. Each look is a transaction of its own, so nothing is held
//! between two; a server that goes away is waited for, and nothing that ended meanwhile is left out.

mod answer;
mod lines;
mod look;
mod screen;

use std::env;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use self::answer::Answer;
use self::lines::Lines;
use self::look::{Asked, Look};
use self::screen::Screen;
use super::shape::job;
use crate::arg::{duration_within, positive_duration};
use crate::command::{CommandContext, GlobalArgs, Signals, refuse};
use crate::db::{Db, statements};
use crate::error::{Error, ErrorKind, file_error};
use crate::exit::Exit;
use crate::output::OutputFormat;
use crate::schedule::ZoneArgs;
use crate::time_zone::Tz;

statements! {
    of look;
}

/// The time limit of one look.
const LIMIT: Duration = Duration::from_secs(10);

/// Watch what runs, and what ended lately, until Ctrl-C
///
/// On a terminal it is a table that is drawn again at each look. Elsewhere, and with --output json, each beginning and
/// each end of a run is a line. A server that goes away is waited for. It ends by a signal alone: exit 130 by Ctrl-C,
/// 143 by SIGTERM, 129 by SIGHUP.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// Only runs of this job: all its lanes, or job-lane
    #[arg(value_name = "JOB", value_parser = job)]
    job: Option<String>,
    /// How often the database is asked
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// In the table: also runs that have ended and began at most this long ago
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = positive_duration)]
    since: Duration,
    #[command(flatten)]
    zone: ZoneArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_millis(100)..=Duration::from_secs(3600))
}

/// Where what is seen is shown.
enum View {
    Screen(Screen),
    Lines(Lines),
}

pub async fn command(args: &WatchArgs, global: &GlobalArgs) -> Exit {
    watch(args, global).await.unwrap_or_else(|error| refuse("runs", &error, &global.output))
}

async fn watch(args: &WatchArgs, global: &GlobalArgs) -> Result<Exit, Error> {
    let unheard = |error| unusable("signals cannot be heard", &error);
    let mut signals = Signals::listen().map_err(unheard)?;
    let mut resized = signal(SignalKind::window_change()).map_err(unheard)?;
    let (zone, is_table) = (args.zone.zone()?, is_table(global)?);
    let db = Db::open(&global.database, "rounds/runs")?;
    let context = CommandContext { db: &db, args: &global.common, limit: LIMIT, command: "runs" };
    let mut asked = Asked::new(args.job.clone(), is_table.then_some(args.since));
    let mut view: Option<View> = None;
    let mut answer = Answer::Up;
    loop {
        let next = Instant::now() + args.interval;
        let seen = tokio::select! {
            exit = signals.next() => return Ok(exit),
            seen = asked.look(&context) => db.renew_after(seen),
        };
        // The first look says whether there is anything to be watched.
        let look = match seen {
            Ok(look) => Some(look),
            Err(error) if error.kind != ErrorKind::Transient || view.is_none() => return Err(error),
            Err(error) => {
                answer = answer.lost(error);
                None
            }
        };
        answer = if look.is_some() { answer.up() } else { answer };
        let view = match &mut view {
            Some(view) => view,
            none => none.insert(View::new(args, &db, zone, is_table, global.output.resolve())),
        };
        let mut shown = view.show(look, &answer);
        loop {
            match shown {
                Ok(()) => {}
                // A reader that has gone away has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
                Err(error) => return Err(unusable("stdout cannot be written", &error)),
            }
            shown = tokio::select! {
                exit = signals.next() => return Ok(exit),
                () = sleep_until(next) => break,
                _ = resized.recv() => view.show(None, &answer),
            };
        }
    }
}

fn unusable(what: &str, error: &io::Error) -> Error {
    Error::new("OUTPUT_NOT_WRITTEN", ErrorKind::Other, format!("{what}: {}", file_error(error)))
}

/// Whether a table is drawn: on a terminal that can go back to the begin of its screen, unless lines are asked for.
fn is_table(global: &GlobalArgs) -> Result<bool, Error> {
    let is_dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
    match global.output.resolve() {
        OutputFormat::Text => Ok(io::stdout().is_terminal() && !is_dumb),
        OutputFormat::Json => Ok(false),
        OutputFormat::Csv => {
            let message = "what is watched has no end, so it is no CSV: say --output json, or rounds runs list";
            Err(Error::new("USAGE", ErrorKind::BadRequest, message))
        }
    }
}

impl View {
    fn new(args: &WatchArgs, db: &Db, zone: Tz, is_table: bool, format: OutputFormat) -> Self {
        match is_table {
            true => Self::Screen(Screen::new(db.target(), args.interval, args.since, zone)),
            false => Self::Lines(Lines::new(format)),
        }
    }

    /// Shows what was seen; without a look, that the database does not answer or that the terminal has another size.
    fn show(&mut self, look: Option<Look>, answer: &Answer) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.show(look, answer),
            Self::Lines(lines) => lines.show(look, answer),
        }
    }
}
