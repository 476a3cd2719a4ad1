//! `rounds demo`: a clinic day on a throw-away PostgreSQL, shown from stop to stop.
//!
//! Only the clock and the people are played. The jobs are the real ones and run as a scheduler would run them; after
//! each run the demo shows what it reads back from the database. The day is also a test: the demo fails where the day
//! does not come out as the story says. It prints ids and codes, never a patient's name, and touches no database but
//! its own.

mod clinic;
mod clock;
mod day;
mod delivery;
mod doctors;
mod ledger;
mod names;
mod page;
mod provider;
mod report;
#[allow(dead_code, reason = "the tests and the benchmarks use the rest")]
mod scratch;
mod show;
mod staff;
mod story;
mod walk;

use std::io;
use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinError;
use tracing::error;

use crate::exit::Exit;
use crate::ops::migrate;
use crate::run::{CommonArgs, RunArgs};
use clinic::Clinic;
use page::{Look, Page};
use scratch::{Durability, Scratch};

const TITLE: &str = "One clinic day, Monday 2 March 2026, on a PostgreSQL of its own";

/// Walk through a clinic day on a throw-away PostgreSQL, with the real jobs
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave the server running at the end, to look around with psql
    #[arg(long)]
    keep: bool,
}

/// Plays the day. The server is removed before the command says so, also when a signal ends it.
pub async fn command(args: &DemoArgs, common: CommonArgs) -> Exit {
    if common.dry_run || common.as_of.is_some() {
        error!("demo has no --dry-run and no --as-of: it plays the clock, and changes only a database of its own");
        return Exit::Usage;
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
    let mut starting = tokio::task::spawn_blocking(|| Scratch::named("rounds-demo", Durability::Full));
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
        played = play(&page, &server, &options) => played,
    };
    ended(match played {
        Ok(()) if args.keep => keep(&page, server),
        Ok(()) => remove(&page, server),
        Err(error) => Err(error),
    })
}

/// The signals that end the demo.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal; the exit code that belongs to it.
    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
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

/// Plays the day on a server that has just started.
async fn play(page: &Page, server: &Scratch, options: &RunArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let (version, ready) = (server.version(), server.ready_after.as_millis());
    let how = if server.reused { "took over the one left behind by an earlier demo," } else { "started" };
    page.line(format!("  {how} PostgreSQL {version} in {ready} ms; your own databases are not touched"))?;
    let clinic = open_clinic(page, server).await?;
    ledger::opening(page, &clinic).await?;
    page.line("  A scheduler starts both jobs every five minutes; here they run where there is something to see. The")?;
    page.line("  clock and the people are played, the runs are real. Patients are numbers: no name is ever printed.")?;
    walk::walk(page, &clinic, options).await?;
    page.heading("The messages leave")?;
    delivery::deliver(page, &clinic, options).await?;
    page.heading("Three timelines, as told")?;
    story::recap(page)?;
    ledger::closing(page, &clinic).await?;
    report::write(page, &clinic, options).await?;
    ledger::farewell(page)?;
    let took = began.elapsed() + server.ready_after;
    Ok(page.line(format!("\n  The demo took {:.1} s.", took.as_secs_f64()))?)
}

fn keep(page: &Page, server: Scratch) -> anyhow::Result<()> {
    page.line("  The server is kept; the next `rounds demo` removes it. Look around with")?;
    page.line(format!("  {}", page.paint(Look::Bold, &format!("psql '{}'", clinic::url(&server)))))?;
    server.keep();
    Ok(())
}

fn remove(page: &Page, server: Scratch) -> anyhow::Result<()> {
    server.remove().map_err(|left| anyhow!(left))?;
    Ok(page.line("  The server is removed again; --keep leaves it there to look around.")?)
}

/// Makes the clinic's database, migrated and filled.
async fn open_clinic(page: &Page, server: &Scratch) -> anyhow::Result<Clinic> {
    let clinic = Clinic::create(server).await?;
    let began = Instant::now();
    let applied = migrate::apply(&clinic.database).await?;
    let migrated = began.elapsed().as_millis();
    clinic.fill().await?;
    staff::install_old_application(&clinic).await?;
    let filled = began.elapsed().as_millis() - migrated;
    page.line(format!("  applied {} migrations in {migrated} ms, booked the visits in {filled} ms", applied.len()))?;
    Ok(clinic)
}
