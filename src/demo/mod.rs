//! `rounds demo`: a clinic on a throw-away PostgreSQL, shown in chapters; `rounds seed`: the same clinic in a database of
//! one's own.
//!
//! Only the clock and the people are played. The jobs are the real ones and run as a scheduler would run them; after
//! each run the demo shows what it reads back from the database. It is also a test: the demo fails where something does
//! not come out as the story says. It prints ids and codes, never a patient's name, and touches no database but its own.
//!
//! `chapters` has the chapters, `stage` what they share, `cast` who works there and what is booked. The chapter of the day
//! is `walk` (the stops), `story` (what must come out), `staff` (the people), `day` and `doctors` (the plan), `show`.

mod cast;
mod chapters;
mod clinic;
mod clock;
mod day;
mod doctors;
mod ledger;
mod names;
mod page;
mod provider;
mod report;
#[allow(dead_code, reason = "the tests and the benchmarks use the rest")]
mod scratch;
pub mod seed;
mod show;
mod staff;
mod stage;
mod story;
mod suggestions;
mod walk;

use std::io;
use std::time::Instant;

use anyhow::anyhow;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use tokio::task::JoinError;
use tracing::error;

use crate::command::Signals;
use crate::exit::Exit;
use crate::ops::migrate;
use crate::run::{CommonArgs, RunArgs};
use cast::When;
use chapters::Chapter;
use clinic::Clinic;
use clock::{MONDAY, instant};
use page::{Look, Page};
use scratch::{Durability, Scratch};
use stage::Stage;

const TITLE: &str = "One clinic, Monday 2 March 2026, on a PostgreSQL of its own";
/// The name of the server.
const SERVER: &str = "rounds-demo";

/// Show what the jobs do, in chapters, with the real jobs on a throw-away PostgreSQL
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// What is shown
    #[arg(value_enum, value_name = "CHAPTER", default_value_t = Part::All)]
    part: Part,
    /// Leave the server running at the end, to look around: `rounds demo try` says how
    #[arg(long)]
    keep: bool,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Chapter(Chapter),
    All,
    /// Nothing: what to do with a server that was kept.
    Try,
}

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        const CHAPTERS: [Part; Chapter::ALL.len() + 2] = {
            let mut parts = [Part::All; Chapter::ALL.len() + 2];
            let mut index = 0;
            while index < Chapter::ALL.len() {
                parts[index] = Part::Chapter(Chapter::ALL[index]);
                index += 1;
            }
            parts[index + 1] = Part::Try;
            parts
        };
        &CHAPTERS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Chapter(chapter) => chapter.to_possible_value(),
            Self::All => Some(PossibleValue::new("all").help("All chapters, and the report of the day")),
            Self::Try => Some(PossibleValue::new("try").help("No chapter: commands for the server that --keep left")),
        }
    }
}

/// Plays the chapters. The server is removed before the command says so, also when a signal ends it.
pub async fn command(args: &DemoArgs, common: CommonArgs) -> Exit {
    if common.dry_run || common.as_of.is_some() {
        error!("demo has no --dry-run and no --as-of: it plays the clock, and changes only a database of its own");
        return Exit::Usage;
    }
    if args.part == Part::Try && args.keep {
        error!("demo try plays nothing that could be kept: first demo --keep, then demo try");
        return Exit::Usage;
    }
    if args.part == Part::Try {
        return ended(suggestions::print(&Page::new(), SERVER));
    }
    let Ok(mut signals) = Signals::listen() else {
        error!("demo: signals cannot be heard");
        return Exit::Failed;
    };
    let options = RunArgs::with_defaults(common);
    let page = Page::new();
    if let Err(error) = page.line(page.paint(Look::Bold, TITLE)) {
        return ended(Err(error.into()));
    }
    // The server starts on a thread that may block, so that a signal is heard meanwhile.
    let mut starting = tokio::task::spawn_blocking(|| Scratch::named(SERVER, Durability::Full));
    let server = tokio::select! {
        biased;
        exit = signals.next() => return stopped(joined(starting.await), exit),
        server = &mut starting => joined(server),
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => return ended(Err(anyhow!(error))),
    };
    let played = tokio::select! {
        biased;
        exit = signals.next() => return stopped(Ok(server), exit),
        played = play(&page, &server, &options, args.part) => played,
    };
    ended(match played {
        Ok(()) if args.keep => keep(&page, server),
        Ok(()) => remove(&page, server),
        Err(error) => Err(error),
    })
}

fn joined(started: Result<Result<Scratch, String>, JoinError>) -> Result<Scratch, String> {
    started.unwrap_or_else(|error| Err(error.to_string()))
}

/// Ends after a signal: removes the server if one has started.
fn stopped(server: Result<Scratch, String>, exit: Exit) -> Exit {
    match server.map(Scratch::remove) {
        Ok(Ok(())) => error!("demo: stopped; its server is removed"),
        Ok(Err(left)) => error!("demo: stopped; {left}"),
        Err(failed) => error!("demo: stopped; its server did not start: {failed}"),
    }
    exit
}

fn ended(outcome: anyhow::Result<()>) -> Exit {
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) if is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            error!("demo: {error:#}");
            Exit::Failed
        }
    }
}

/// The reader of the output has seen enough, as `head` has.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Plays on a server that has just started.
async fn play(page: &Page, server: &Scratch, options: &RunArgs, part: Part) -> anyhow::Result<()> {
    let began = Instant::now();
    let (version, ready) = (server.version(), server.ready_after.as_millis());
    let how = if server.reused { "took over the one left behind by an earlier demo," } else { "started" };
    page.line(format!("  {how} PostgreSQL {version} in {ready} ms; your own databases are not touched"))?;
    let clinic = open_clinic(page, server).await?;
    let mut stage = Stage::new(page, server, clinic).await?;
    match part {
        Part::Chapter(chapter) => chapter.play(&mut stage, options).await?,
        Part::All => {
            for chapter in Chapter::ALL {
                chapter.play(&mut stage, options).await?;
            }
            ledger::runs(page, &stage.clinic).await?;
            report::write(page, &stage.clinic, options).await?;
            ledger::farewell(page)?;
        }
        Part::Try => {}
    }
    let took = began.elapsed() + server.ready_after;
    Ok(page.line(format!("\n  The demo took {:.1} s.", took.as_secs_f64()))?)
}

fn keep(page: &Page, server: Scratch) -> anyhow::Result<()> {
    page.line("  The server is kept; the next `rounds demo` removes it. `rounds demo try` says what to")?;
    page.line("  do with it. Look around with")?;
    page.line(format!("  {}", page.paint(Look::Bold, &format!("psql '{}'", clinic::url(&server)))))?;
    server.keep();
    Ok(())
}

fn remove(page: &Page, server: Scratch) -> anyhow::Result<()> {
    server.remove().map_err(|left| anyhow!(left))?;
    Ok(page.line("  The server is removed again; --keep leaves it there to look around.")?)
}

/// Makes the clinic's database, migrated, with its staff.
async fn open_clinic(page: &Page, server: &Scratch) -> anyhow::Result<Clinic> {
    let clinic = Clinic::create(server).await?;
    let began = Instant::now();
    let applied = migrate::apply(&clinic.database).await?;
    let migrated = began.elapsed().as_millis();
    page.line(format!("  applied {} migrations in {migrated} ms", applied.len()))?;
    When { day: MONDAY, now: instant("07:00") }.open(clinic.client()).await?;
    Ok(clinic)
}
