//! `rounds demo`: a clinic day on a throw-away PostgreSQL, told from stop to stop.
//!
//! Only the clock and the people are played. The jobs are the real ones, run as a scheduler would run them, and what is
//! shown after each is read back from the database. The day is also a test: where it does not come out as told, the demo
//! fails. It prints ids and codes, never a patient's name, and touches no database but its own.

mod clinic;
mod day;
mod ledger;
mod names;
mod page;
#[allow(dead_code, reason = "the tests and the benchmarks use the rest")]
mod scratch;
mod show;
mod staff;
mod story;

use std::time::Instant;

use anyhow::{anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::America::{Denver, New_York};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::error;

use crate::exit::Exit;
use crate::jobs::mark_no_shows::MarkNoShows;
use crate::jobs::stage_alerts::{Basis, StageAlerts};
use crate::ops::migrate;
use crate::run::{self, CommonArgs, Job, RunArgs, Summary};
use clinic::{Clinic, instant};
use page::{Look, Page};
use scratch::{Durability, Scratch};

/// Where the day is looked at: New York times. A scheduler would run both jobs every five minutes.
const STOPS: [&str; 14] = [
    "08:00", "09:00", "09:05", "09:10", "09:15", "09:20", "09:25", "09:30", "10:10", "11:00", "12:00", "12:10",
    "15:30", "18:00",
];
/// The stop at which one visit is refused by the database.
const REFUSAL: &str = "10:10";

/// Walk through a clinic day on a throw-away PostgreSQL, with the real jobs
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave the server running at the end, to look around with psql
    #[arg(long)]
    keep: bool,
}

/// The command.
pub async fn command(args: &DemoArgs, common: CommonArgs) -> Exit {
    if common.dry_run || common.as_of.is_some() {
        error!("demo has no --dry-run and no --as-of: it plays the clock, and changes only a database of its own");
        return Exit::Usage;
    }
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        error!("demo: signals cannot be heard");
        return Exit::Failed;
    };
    let options = RunArgs::with_defaults(common);
    // Not told further, the server goes away with it.
    tokio::select! {
        biased;
        exit = stopped(&mut interrupt, Exit::Interrupted) => exit,
        exit = stopped(&mut terminate, Exit::Terminated) => exit,
        told = tell(args, &options) => match told {
            Ok(()) => Exit::Done,
            Err(error) if is_closed_pipe(&error) => Exit::Done,
            Err(error) => {
                error!("demo: {error:#}");
                Exit::Failed
            }
        },
    }
}

async fn stopped(signal: &mut Signal, exit: Exit) -> Exit {
    signal.recv().await;
    error!("demo: stopped; its server is removed");
    exit
}

/// Whoever read along has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

async fn tell(args: &DemoArgs, options: &RunArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let page = Page::new();
    page.line(page.paint(Look::Bold, "One clinic day, Monday 2 March 2026, on a PostgreSQL of its own"))?;
    // On a thread that may block: a signal is heard meanwhile.
    let server = tokio::task::spawn_blocking(|| Scratch::named("rounds-demo", Durability::Full)).await?;
    let server = server.map_err(|error| anyhow!(error))?;
    let (version, ready) = (server.version(), server.ready_after.as_millis());
    let how = if server.reused { "took over the one left behind by an earlier demo," } else { "started" };
    page.line(format!("  {how} PostgreSQL {version} in {ready} ms; your own databases are not touched"))?;
    let clinic = open_clinic(&page, &server).await?;
    ledger::opening(&page, &clinic).await?;
    page.line("  A scheduler starts both jobs every five minutes; here they run where there is something to see. The")?;
    page.line("  clock and the people are played, the runs are real. Patients are numbers: no name is ever printed.")?;
    walk(&page, &clinic, options).await?;
    page.heading("Three timelines, as told")?;
    story::recap(&page)?;
    ledger::closing(&page, &clinic).await?;
    ledger::farewell(&page)?;
    page.line(format!("\n  The demo took {:.1} s.", began.elapsed().as_secs_f64()))?;
    if args.keep {
        page.line("  The server is kept; the next `rounds demo` removes it. Look around with")?;
        page.line(format!("  {}", page.paint(Look::Bold, &format!("psql '{}'", clinic.url()))))?;
        server.keep();
    } else {
        drop((clinic, server));
        page.line("  The server is removed again; --keep leaves it there to look around.")?;
    }
    Ok(())
}

/// A migrated and filled database.
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

async fn walk(page: &Page, clinic: &Clinic, options: &RunArgs) -> anyhow::Result<()> {
    // What was before is played at once: the earlier days, and what was called off in the night.
    let mut since = instant("07:00");
    staff::play(clinic, since - TimeDelta::days(60), since).await?;
    for at in STOPS {
        let now = instant(at);
        page.heading(&clocks(now))?;
        if at == "11:00" {
            page.line("At 10:40 the broken trigger of the old application was repaired.")?;
            staff::repair_old_application(clinic).await?;
        }
        let played = staff::play(clinic, since, now).await?;
        page.line(page.paint(Look::Dim, &format!("in between: {played}")))?;
        stop(page, clinic, at, &options.replay(now)).await?;
        story::tell(page, clinic, at).await?;
        if at == "12:10" {
            page.heading(&clocks(now + TimeDelta::minutes(2)))?;
            staff::book_walk_in(clinic).await?;
            page.line("No run: a patient without an appointment asks for one, and the front desk finds a free slot.")?;
            story::tell(page, clinic, "12:12").await?;
        }
        since = now;
    }
    Ok(())
}

fn clocks(now: DateTime<Utc>) -> String {
    let local = |zone: chrono_tz::Tz| now.with_timezone(&zone).format("%H:%M");
    format!("{} in New York · {} in Denver", local(New_York), local(Denver))
}

/// Runs both jobs as a process of its own each would.
async fn stop(page: &Page, clinic: &Clinic, at: &str, options: &RunArgs) -> anyhow::Result<()> {
    let mark = MarkNoShows { lookback_days: 7 };
    let alert = StageAlerts {
        basis: Basis::Arrival,
        no_vitals_minutes: 5,
        no_doctor_minutes: 10,
        waiting_minutes: None,
        lookback_days: None,
    };
    let marked = execute(clinic, &mark, (at, options), u64::from(at == REFUSAL)).await?;
    let alerted = execute(clinic, &alert, (at, options), 0).await?;
    if show::nothing_due(&marked) && show::nothing_due(&alerted) {
        let both = format!("{} and {}", marked.job, alerted.job);
        return Ok(page.line(format!("{}: nothing was due", page.paint(Look::Bold, &both)))?);
    }
    show::run(page, clinic, &marked).await?;
    show::run(page, clinic, &alerted).await
}

/// One run; that it does not fail, but on what it must fail on, is part of the story.
async fn execute<J: Job>(
    clinic: &Clinic,
    job: &J,
    (at, options): (&str, &RunArgs),
    to_fail: u64,
) -> anyhow::Result<Summary> {
    let name = J::NAME;
    let summary = run::execute(job, options, clinic.open(&format!("rounds/{name}"))).await;
    if let Some((code, message)) = &summary.error {
        return Err(anyhow!("{name} at {at} ended {}: {message} [{code}]", summary.status));
    }
    let failed = summary.report["failed"].as_u64().unwrap_or(0);
    ensure!(failed == to_fail, "{name} at {at} was to fail on {to_fail} visit(s), and failed on {failed}");
    Ok(summary)
}
