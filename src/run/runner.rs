//! Carries a job from the claim to the exit code.
//!
//! Check the arguments and the schema; claim the lane (or stand aside); start the heartbeat; let the job work until it
//! is done, its deadline passes or a signal comes; close the row; log one line; return one summary.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::args::RunArgs;
use super::halt::{Halt, halted};
use super::job::{Job, Run};
use super::lease::{self, Claim, Claimed, Closing};
use super::report::{Report, Summary};
use crate::actor::Actor;
use crate::db::Db;
use crate::exit::Exit;
use crate::redact::{Class, Failure};
use crate::retry::Retry;
use crate::{schedule, schema};

/// After a signal the batch at work may take this long; then it is cancelled.
const GRACE: Duration = Duration::from_secs(4);
/// Closing the row may take this long in all.
const CLOSING: Duration = Duration::from_secs(6);

/// Runs a job once. Everything that can go wrong is in the summary.
pub async fn execute<J: Job>(job: &J, args: &RunArgs, db: Result<Db, Failure>) -> Summary {
    let began = Instant::now();
    let mut summary = Summary {
        job: J::NAME,
        lane: job.lane(),
        run_id: None,
        status: "FAILED",
        dry_run: args.dry_run,
        now: None,
        duration_ms: 0,
        error: None,
        exit: Exit::Failed,
        report: Value::Null,
        items: (0, 0),
        sentence: None,
    };
    let (stop, stopped) = watch::channel(None);
    let signals = tokio::spawn(listen(stop.clone()));
    let ended = match args.check().and_then(|()| job.check(args)).and(db) {
        Ok(db) => drive(job, args, &db, (stop, stopped), &mut summary).await,
        Err(failure) => Err(failure),
    };
    signals.abort();
    if let Err(failure) = ended {
        summary.exit = if failure.class == Class::Configuration { Exit::Usage } else { Exit::Failed };
        summary.error = Some((failure.code.into_owned(), format!("{}; nothing was done", failure.message)));
    }
    if summary.duration_ms == 0 {
        summary.duration_ms = began.elapsed().as_millis() as u64;
    }
    log(&summary);
    summary
}

type Stop = (watch::Sender<Option<Halt>>, watch::Receiver<Option<Halt>>);

/// Claim, work, close. An error here means that the run never began.
async fn drive<J: Job>(job: &J, args: &RunArgs, db: &Db, stop: Stop, summary: &mut Summary) -> Result<(), Failure> {
    let limits = lease::limits(args.lease);
    let id = Uuid::new_v4();
    let retry = Retry { attempts: args.attempts, delay: args.retry_delay };
    let lane = job.lane();
    let timeout = args.timeout.unwrap_or_else(|| schedule::deadline(J::NAME, &lane));
    let metadata = json!({ "arguments": { "job": job, "run": args } });
    let claim = Claim {
        id,
        job: J::NAME,
        lane: &lane,
        source: args.recorded_source().as_str(),
        actor: args.actor,
        scheduled_for: args.scheduled_for,
        timeout,
        lease: args.lease,
        host: &host(),
        metadata: &metadata,
        unless_succeeded_within: args.unless_succeeded_within,
    };
    let interrupted = stop.1.clone();
    let started = tokio::select! {
        claimed = retry.run("starting the run", async || begin(job, db, claim, args).await) => claimed?,
        halt = async {
            tokio::select! {
                halt = halted(interrupted) => halt,
                () = tokio::time::sleep(timeout) => Halt::Deadline(timeout),
            }
        } => {
            // The claim may have gone through while its reply had not come yet.
            db.abandon();
            close(db, args, id, Err(&halt), &Value::Null, (0, 0), summary).await;
            summary.exit = halt.exit();
            summary.error = Some((halt.code().to_owned(), "stopped before the run began; nothing was done".to_owned()));
            return Ok(());
        }
    };
    let (started, timeout) = started;
    let Claimed::Held(database_now) = started else {
        summary.run_id = (!args.dry_run).then_some(id);
        stand_aside(&started, J::NAME, args, summary);
        return Ok(());
    };
    let now = args.as_of.unwrap_or(database_now);
    let run = Run { id, now, time_limit: timeout, args: args.clone(), db: db.clone(), limits, stop: stop.1 };
    summary.now = Some(run.now);
    let mut report = J::Report::default();
    let heart = (!args.dry_run).then(|| tokio::spawn(lease::heartbeat(db.clone(), id, args.lease, stop.0.clone())));
    let outcome = work(job, &run, &mut report, timeout).await;
    if let Some(heart) = heart {
        heart.abort();
    }
    let outcome = outcome.and_then(|()| check_sum(&report));
    let counts = (report.counts().processed, report.counts().not_done.failed);
    summary.items = counts;
    summary.report = serde_json::to_value(&report).unwrap_or_default();
    summary.sentence = outcome.is_ok().then(|| report.sentence()).flatten();
    let report = summary.report.clone();
    close(db, args, id, outcome.as_ref().copied(), &report, counts, summary).await;
    Ok(())
}

/// Says in the summary why this run was not to be.
fn stand_aside(claimed: &Claimed, job: &str, args: &RunArgs, summary: &mut Summary) {
    match claimed {
        Claimed::Held(_) => {}
        Claimed::Busy(holder) => {
            summary.status = "SKIPPED";
            summary.exit = if args.fail_if_running { Exit::Busy } else { Exit::Done };
            summary.error = Some(("ALREADY_RUNNING".into(), format!("run {holder} is at work; nothing was done")));
        }
        Claimed::Blocked(holder) => {
            let message = format!(
                "run {holder} is dead, but a session still locks its row; nothing was done. End that session \
                 (pg_stat_activity, application rounds/{job}); the next run takes over"
            );
            summary.error = Some(("TAKEOVER_BLOCKED".into(), message));
        }
        Claimed::Settled(settled) => {
            summary.status = "SKIPPED";
            summary.exit = Exit::Done;
            let (code, why) = settled.why();
            summary.error = Some((code.into(), format!("{why} (--unless-succeeded-within); nothing was done")));
        }
    }
}

/// Refuses a database that is not ours and a user who may not, then takes the lane, for as long as the job says. A dry run
/// only looks whether it would, and reads the clock.
async fn begin<J: Job>(job: &J, db: &Db, mut claim: Claim<'_>, args: &RunArgs) -> Result<(Claimed, Duration), Failure> {
    let mut client = db.client().await?;
    let tx = lease::limits(claim.lease).begin_reading(&mut client).await?;
    schema::check_served(&tx).await?;
    if let Some(actor) = claim.actor {
        Actor::find(&tx, actor).await?.require(job.roles(), J::NAME)?;
    }
    if args.timeout.is_none() {
        claim.timeout = job.time_limit(&tx).await?.unwrap_or(claim.timeout);
    }
    if args.dry_run {
        if let Some(settled) = claim.settled(&tx).await? {
            return Ok((Claimed::Settled(settled), claim.timeout));
        }
        let row = tx.query_typed_one("SELECT clock_timestamp()", &[]).await?;
        return Ok((Claimed::Held(row.get(0)), claim.timeout));
    }
    // Rolled back without a wait for the answer, as every read is.
    drop(tx);
    drop(client);
    let claimed = claim.take(db).await.map_err(|failure| failure.context("claiming the run in cron_job_runs"))?;
    Ok((claimed, claim.timeout))
}

/// The job, until it ends, its time is up, or it does not stop by itself after it was told to.
async fn work<J: Job>(job: &J, run: &Run, report: &mut J::Report, timeout: Duration) -> Result<(), Halt> {
    let halt = tokio::select! {
        biased;
        outcome = job.run(run, report) => return outcome,
        () = tokio::time::sleep(timeout) => Halt::Deadline(timeout),
        halt = async {
            let halt = run.halted().await;
            tokio::time::sleep(GRACE).await;
            halt
        } => halt,
    };
    run.db.abandon();
    Err(halt)
}

fn check_sum<R: Report>(report: &R) -> Result<(), Halt> {
    if report.counts().add_up() {
        return Ok(());
    }
    let message = "the report does not add up (scanned is not done + skipped + failed): a defect of rounds";
    Err(Failure::new("REPORT_MISMATCH", Class::Other, message).into())
}

/// Closes the run's row, and says in the summary how the run ended.
async fn close(
    db: &Db,
    args: &RunArgs,
    id: Uuid,
    outcome: Result<(), &Halt>,
    report: &Value,
    (processed, failed): (u64, u64),
    summary: &mut Summary,
) {
    summary.run_id = (!args.dry_run).then_some(id);
    let error = outcome.err().map(|halt| (halt.code().to_owned(), halt.message()));
    summary.status = if error.is_none() { "COMPLETED" } else { "FAILED" };
    summary.exit = match outcome {
        // What the caller has to correct, as long as nothing is done.
        Err(Halt::Failed(failure)) if failure.is_refusal() && processed == 0 => Exit::Usage,
        Err(halt) => halt.exit(),
        Ok(()) if failed > 0 && !args.partial_ok => Exit::Partial,
        Ok(()) => Exit::Done,
    };
    summary.error = error;
    if args.dry_run {
        return;
    }
    let error = summary.error.clone();
    let closing = Closing {
        id,
        status: summary.status,
        error: error.as_ref().map(|(code, message)| (code.as_str(), message.as_str())),
        processed,
        failed,
        report: &json!({ "report": report }),
        news: matches!(outcome, Err(Halt::Brake { news: true, .. })),
    };
    let retry = Retry { attempts: args.attempts, delay: Duration::from_millis(500).min(args.retry_delay) };
    let closed = retry.run("closing the run", async || closing.commit(db, lease::limits(args.lease)).await);
    match tokio::time::timeout(CLOSING, closed).await {
        Ok(Ok(Some(duration_ms))) => summary.duration_ms = duration_ms,
        Ok(Ok(None)) => {
            summary.exit = Exit::Fenced;
            summary.error = Some((Halt::Fenced.code().to_owned(), Halt::Fenced.message()));
            summary.status = "FAILED";
        }
        Ok(Err(failure)) => not_closed(summary, &failure.message),
        Err(_) => not_closed(summary, "no answer in time"),
    }
}

fn not_closed(summary: &mut Summary, why: &str) {
    let message = format!("the run's row could not be closed ({why}); the next run takes it over after the lease");
    if matches!(summary.exit, Exit::Done | Exit::Partial) {
        summary.exit = Exit::Failed;
        summary.status = "FAILED";
        summary.error = Some(("NOT_CLOSED".into(), format!("the work is done and committed, but {message}")));
    } else {
        warn!(error_code = "NOT_CLOSED", "{message}");
    }
}

/// Turns the first signal into a stop.
async fn listen(stop: watch::Sender<Option<Halt>>) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return warn!("signals cannot be heard; the run ends at its deadline at the latest");
    };
    let halt = tokio::select! {
        _ = interrupt.recv() => Halt::Interrupted,
        _ = terminate.recv() => Halt::Terminated,
    };
    info!("{}: stopping after this batch", halt.code());
    stop.send_replace(Some(halt));
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The one final line.
fn log(summary: &Summary) {
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
