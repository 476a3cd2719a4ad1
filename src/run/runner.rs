//! The runner takes a job from the claim to the exit code.
//!
//! It checks the arguments and the schema; claims the lane, or ends without work; starts the heartbeat; runs the job
//! until it is done, its deadline passes or a signal comes; closes the row; logs one line; returns one summary.

use std::sync::atomic::AtomicI32;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info};
use uuid::Uuid;

use super::actor::actor_of;
use super::args::{RunArgs, Source};
use super::brake::command_of;
use super::claim::{Claim, Claimed, Held};
use super::halt::{Halt, halted_or_late};
use super::heartbeat::heartbeat;
use super::identity;
use super::job::{Job, Run};
use super::limits::limits;
use super::outcome::{Outcome, ReportedWork, RunRow};
use super::reach::lane as lane_within;
use super::refusals::Refusals;
use super::report::{Report, Summary};
use super::signals::stop_at_signal;
use super::watched;
use crate::clinic::fit;
use crate::clinic::words::moment_utc;
use crate::db::{CLOCK, Db, Key, schema};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::output::log::is_report_seen;
use crate::panic;
use crate::schedule;

/// The lease whose limits a look at what is due has.
const OUTLOOK: Duration = Duration::from_secs(10);
/// The time that the batch in progress has after a signal; then it is cancelled.
const GRACE: Duration = Duration::from_secs(4);

/// What is called with the id and the lane of a run that is recorded, when it starts.
type Started<'a> = &'a dyn Fn(Uuid, &str);

/// Runs a job once. The summary holds every error.
pub async fn execute<J: Job>(job: &J, args: &RunArgs, db: Result<Db, Error>) -> Summary {
    execute_watched(job, args, db, &|_, _| ()).await
}

/// The same; `started` is called when it starts.
pub async fn execute_watched<J: Job>(job: &J, args: &RunArgs, db: Result<Db, Error>, started: Started<'_>) -> Summary {
    let began = Instant::now();
    let (sender, receiver) = watch::channel(None);
    let signals = stop_at_signal(sender.clone());
    let fed = tokio::spawn(watched::feed());
    let outcome = match args.check().and_then(|()| job.check(args)).and(db) {
        Ok(db) => {
            let id = Uuid::new_v4();
            let work = claim_and_run(job, args, &db, id, (StopChannel { sender, receiver }, started));
            match panic::catch(work).await {
                Ok(outcome) => outcome,
                Err(panic) => Ok(close_after_panic(RunRow { db: &db, args, id }, panic).await),
            }
        }
        Err(error) => Err(error),
    };
    signals.inspect(JoinHandle::abort);
    fed.abort();
    let outcome = outcome.unwrap_or_else(Outcome::not_begun);
    let summary = Summary {
        job: J::NAME,
        lane: outcome.lane.unwrap_or_else(|| job.lane()),
        run_id: outcome.run_id,
        status: outcome.status,
        dry_run: args.common.dry_run,
        now: outcome.now,
        duration_ms: outcome.duration_ms.unwrap_or_else(|| began.elapsed().as_millis() as u64),
        error: outcome.error,
        exit: outcome.exit,
        report: outcome.work.report,
        would_brake: outcome.work.would_brake,
        items: (outcome.work.processed, outcome.work.failed),
        notifications: outcome.work.notifications,
        sentence: outcome.work.sentence,
        changed: outcome.work.changed,
    };
    log(&summary);
    summary
}

/// The instant since which the oldest item of a job is due, if the job can say it.
pub async fn oldest_due<J: Job>(
    job: &J,
    now: DateTime<Utc>,
    facility: Option<&Key>,
    db: &Db,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut client = db.client().await?;
    let tx = limits(OUTLOOK).begin_reading(&mut client).await?;
    let oldest = job.oldest_due(&tx, now, facility).await?;
    tx.rollback().await?;
    Ok(oldest)
}

/// The channel that stops a run.
struct StopChannel {
    sender: watch::Sender<Option<Halt>>,
    receiver: watch::Receiver<Option<Halt>>,
}

/// Claims the lane, runs the job and closes the row. An error here means that the run never began.
async fn claim_and_run<J: Job>(
    job: &J,
    args: &RunArgs,
    db: &Db,
    id: Uuid,
    (stop, started): (StopChannel, Started<'_>),
) -> Result<Outcome, Error> {
    let lane = job.lane();
    let timeout = args.common.timeout.unwrap_or_else(|| schedule::deadline(J::NAME, &lane));
    let claim = Claim {
        id,
        job: J::NAME,
        lane: &lane,
        source: args.recorded_source().as_str(),
        actor: args.common.actor.as_ref(),
        scheduled_for: args.scheduled_for,
        timeout,
        lease: args.lease,
        metadata: &json!({ "arguments": { "job": job, "run": args } }),
        unless_succeeded_within: args.unless_succeeded_within,
        failure_webhook: args.failure_webhook.as_deref(),
        heeds_pauses: !args.even_if_paused,
        identity: None,
    };
    let row = RunRow { db, args, id };
    let (retry, interrupted) = (args.retry(Some(Instant::now() + timeout)), stop.receiver.clone());
    let Begun { claimed, time_limit, actor, lane, facility } = tokio::select! {
        begun = retry.run("starting the run", async || db.renew_after(check_and_claim(job, db, claim, args).await)) => begun?,
        halt = halted_or_late(interrupted, timeout) => {
            // The claim may have been committed although its reply has not arrived.
            db.abandon();
            let closed = row.close(Err(&halt), ReportedWork::default()).await;
            let message = "stopped before the run began; nothing was done".to_owned();
            return Ok(Outcome { exit: halt.exit(), ..closed }.with_error(halt.code(), message));
        }
    };
    let Claimed::Held(held) = claimed else {
        return Ok(Outcome { lane: Some(lane), ..row.without_lane(&claimed, J::NAME) });
    };
    let now = args.common.as_of.unwrap_or(held.now);
    let run = Run {
        id,
        job: J::NAME,
        coverage: job.coverage(),
        tells: J::TELLS,
        look: J::LOOK,
        command: command_of(job, facility.as_ref()),
        lane: lane.clone(),
        lane_of_rule: job.lane(),
        facility,
        now,
        time_limit,
        ends: Instant::now() + time_limit,
        args: args.of(actor.as_ref()),
        actor,
        db: db.clone(),
        limits: limits(args.lease),
        stop: stop.receiver,
        batches: AtomicI32::new(0),
        refusals: Refusals::default(),
        changed: Mutex::default(),
        would_brake: OnceLock::new(),
    };
    let mut report = J::Report::default();
    let beats = (!run.dry_run()).then(|| {
        log_start(&run);
        started(run.id, &run.lane);
        let run = (id, args.lease, !args.even_if_paused);
        tokio::spawn(beat_until_dropped(db.clone(), run, stop.sender.clone()))
    });
    let halted = run_until_halted(job, &run, held.has_refusals, &mut report).await;
    if let Some(beats) = beats {
        beats.abort();
    }
    let closed = row.close(halted.as_ref().copied(), work_of(run, &report, halted.is_ok())).await;
    Ok(Outcome { now: Some(now), lane: Some(lane), ..closed })
}

/// The work of a job, according to its report.
fn work_of<R: Report>(run: Run, report: &R, is_done: bool) -> ReportedWork {
    let counts = report.counts();
    ReportedWork {
        processed: counts.processed,
        failed: counts.not_done.failed + report.undeliverable(),
        notifications: report.notifications(),
        sentence: is_done.then(|| report.sentence()).flatten(),
        report: serde_json::to_value(report).unwrap_or_default(),
        would_brake: run.would_brake.get().cloned(),
        changed: run.changed.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// A run that may begin, or another that stands in its way.
struct Begun {
    claimed: Claimed,
    time_limit: Duration,
    /// The actor in the server's own form.
    actor: Option<Key>,
    lane: String,
    /// The facility to which the run is kept.
    facility: Option<Key>,
}

/// Checks the schema, the clinic's tables and the actor, then claims the lane. A dry run only checks for a
/// recent run and reads the clock.
async fn check_and_claim<J: Job>(job: &J, db: &Db, mut claim: Claim<'_>, args: &RunArgs) -> Result<Begun, Error> {
    job.receive(db, limits(claim.lease), args.common.dry_run).await?;
    let mut client = db.client().await?;
    let mut tx = limits(claim.lease).begin_reading(&mut client).await?;
    let mut identities = None;
    if J::TELLS && !args.common.dry_run {
        identities = identity::check_served(&tx).await?;
        if identities.is_none() {
            drop(tx);
            tx = limits(claim.lease).begin_reading(&mut client).await?;
            identities = Some(identity::check_served_by_name(&tx).await?);
        }
    } else {
        schema::check_served(&tx).await?;
    }
    fit::check(&tx, db.schema(), J::NAME).await?;
    let actor = actor_of(job, &tx, args).await?;
    let facility = job.reach().facility(&tx, actor.as_ref(), J::NAME).await?;
    let lane = lane_within(job.lane(), facility.as_ref());
    let actor = actor.map(|actor| actor.id);
    (claim.actor, claim.lane) = (actor.as_ref(), &lane);
    if actor.is_some() {
        claim.source = Source::Manual.as_str();
    }
    if args.common.timeout.is_none() {
        claim.timeout = job.time_limit(&tx).await?.unwrap_or(claim.timeout);
    }
    if args.common.dry_run {
        let claimed = match claim.recently_done(&tx).await? {
            Some(done) => Claimed::RecentlyDone(done),
            None => Claimed::Held(Held { now: CLOCK.one(&tx, &[]).await?.get(0), has_refusals: true }),
        };
        return Ok(Begun { claimed, time_limit: claim.timeout, actor, lane, facility });
    }
    // Dropping the transaction rolls it back without a wait for the answer.
    drop(tx);
    drop(client);
    if let Some(identities) = &identities
        && let Some(message) = identity::strange(identities, args.trust_promotions, db, claim.lease).await?
    {
        let claimed = claim.skip_restored(db, message).await?;
        let time_limit = claim.timeout;
        return Ok(Begun { claimed, time_limit, actor, lane, facility });
    }
    claim.identity = identities.as_ref().filter(|found| found.recorded.is_none()).map(|found| &found.now);
    let claimed = claim.take(db).await.map_err(|failure| failure.context("claiming the run in cron_job_runs"))?;
    let time_limit = claim.timeout;
    Ok(Begun { claimed, time_limit, actor, lane, facility })
}

/// Runs the job until it ends, its deadline passes, or it has not stopped by itself within the grace after a halt.
async fn run_until_halted<J: Job>(job: &J, run: &Run, has_refusals: bool, report: &mut J::Report) -> Result<(), Halt> {
    watched::begun(run.job, &run.lane);
    // Boxed, because the compiler limits the depth of futures in futures.
    let work = Box::pin(async {
        if has_refusals {
            run.read_refusals().await?;
        }
        if let Err(halt) = job.run(run, report).await {
            return Err(asked(job, run, halt).await);
        }
        check_counts(report)?;
        let counts = report.counts();
        run.settle(counts.processed, counts.not_done.failed).await
    });
    let halt = tokio::select! {
        biased;
        outcome = panic::catch(work) => match outcome {
            Ok(outcome) => return outcome,
            Err(panic) => Halt::Failed(panic),
        },
        () = tokio::time::sleep(run.time_limit) => Halt::Deadline(run.time_limit),
        halt = async {
            let halt = run.halted().await;
            tokio::time::sleep(GRACE).await;
            halt
        } => halt,
    };
    run.db.abandon();
    Err(halt)
}

/// The halt of a run; a flood becomes a brake whose message says since when the oldest item is due.
async fn asked<J: Job>(job: &J, run: &Run, halt: Halt) -> Halt {
    let Halt::Flood(flood) = halt else { return halt };
    let oldest = oldest_due(job, run.now, run.facility(), &run.db).await.ok().flatten().map(moment_utc);
    Halt::Brake { message: flood.message(&run.command, J::LOOK, oldest.as_deref()), notify_at_once: true }
}

/// Closes the row of a run that panicked outside its job, if it has one. A panic there, too, leaves the row to the
/// lease.
async fn close_after_panic(row: RunRow<'_>, panic: Error) -> Outcome {
    row.db.abandon();
    let message = panic.message.clone();
    let halt = Halt::Failed(panic);
    match panic::catch(row.close(Err(&halt), ReportedWork::default())).await {
        // The exit code is that of the panic, also where there was no row to close.
        Ok(closed) => {
            let run_id = closed.run_id.filter(|_| closed.duration_ms.is_some());
            Outcome { run_id, exit: halt.exit(), ..closed }.with_error(halt.code(), message)
        }
        Err(second) => Outcome::not_begun(second),
    }
}

/// The heartbeat; a panic in it stops the run.
async fn beat_until_dropped(db: Db, run: (Uuid, Duration, bool), stop: watch::Sender<Option<Halt>>) {
    let (id, lease, heeds_pauses) = run;
    let beats = heartbeat(db, id, lease, heeds_pauses, stop.clone());
    if let Err(panic) = panic::catch(beats).await {
        stop.send_replace(Some(Halt::Failed(panic)));
    }
}

fn check_counts<R: Report>(report: &R) -> Result<(), Halt> {
    if report.counts().add_up() {
        return Ok(());
    }
    let message = "the report does not add up (scanned is not done + skipped + failed): a defect of rounds";
    Err(Error::new("REPORT_MISMATCH", ErrorKind::Other, message).into())
}

/// Logs the one line at the start of a run that is recorded.
fn log_start(run: &Run) {
    let (job, lane, source) = (run.job, run.lane.as_str(), run.args.recorded_source().as_str());
    let deadline = humantime::format_duration(run.time_limit);
    info!(job, lane, run_id = %run.id, source, %deadline, "run started");
}

/// Logs the one final line, unless the report says the same on the same terminal.
fn log(summary: &Summary) {
    if is_report_seen() {
        return;
    }
    let (job, lane, exit) = (summary.job, summary.lane.as_str(), summary.exit as u8);
    let (status, duration_ms) = (summary.status, summary.duration_ms);
    let run_id = summary.run_id.map(tracing::field::display);
    let report = (!summary.report.is_null()).then(|| summary.report.to_string());
    match &summary.error {
        None => info!(job, lane, run_id, status, exit, duration_ms, report, "run finished"),
        Some((error_code, message)) if matches!(summary.exit, Exit::Done | Exit::Busy) => {
            info!(job, lane, run_id, status, exit, duration_ms, error_code, "{message}");
        }
        Some((error_code, message)) => {
            error!(job, lane, run_id, status, exit, duration_ms, error_code, report, "{message}");
        }
    }
}
