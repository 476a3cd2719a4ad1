//! `rounds no-show undo`: takes back that visits are no-shows.
//!
//! Rule: a mark is undone if and only if the visit is a NO_SHOW still, at the start for which it was marked, the mark
//! is its last one, and the actor may: for a visit a RECEPTIONIST, NURSE or admin of its facility, or its doctor; for
//! a run a HOSPITAL_ADMIN, whose facility the visit must be of. The visit becomes what it was, its slot is booked
//! again where that is free, and notices that were not sent expire. Later runs of the job leave it alone, until it is
//! moved.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::mark::{LOCK_VISIT, STAFF};
use super::undone::{Cause, Fate, Marks, Undone};
use crate::clinic::actor::{ADMIN, Actor, refused};
use crate::command::notes::reason;
use crate::command::{CommandContext, Moment, Output, held, listing, locked};
use crate::db::{Key, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::jobs::mark_no_shows::MarkNoShows;
use crate::ops::runs::which::{Which, which};
use crate::output::{counted, stamp};
use crate::run::{BATCH_LOCK, Job, loss_reason};

statements! {
    RUN(UUID) = format!(include_str!("run.sql"), loss_reason = loss_reason("r", "r.lease_ms"));
}

/// Undo a no-show, or all of a run: the visit is what it was, its slot is booked again if free, unsent notices expire
#[derive(Args)]
#[command(group = ArgGroup::new("marks").required(true).args(["visit", "run"]))]
pub struct UndoArgs {
    /// The visit
    #[arg(value_name = "APPOINTMENT_ID")]
    visit: Option<Key>,
    /// Every visit that this run marked: its id, its beginning, or latest; those that cannot be undone are listed, and the
    /// exit code is 3
    #[arg(long, value_name = "RUN_ID", value_parser = which)]
    run: Option<Which>,
    /// Why; kept with the log row, and shown by no command. Other users of the machine see arguments (ps):
    /// --reason-file is better
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "reason_file")]
    #[arg(required_unless_present = "reason_file")]
    reason: Option<String>,
    /// File that says why; - is the standard input
    #[arg(long, value_name = "PATH")]
    reason_file: Option<PathBuf>,
}

impl UndoArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let reason = &reason(self.reason.as_deref(), self.reason_file.as_deref(), context).await?;
        let (moment, (run, undone)) = context
            .act(async |tx, moment| match (&self.visit, &self.run) {
                (Some(visit), _) => Ok((None, vec![undo_visit(tx, moment, visit, reason).await?])),
                (None, Some(run)) => {
                    let (run, undone) = undo_run(tx, moment, run, reason).await?;
                    Ok((Some(run), undone))
                }
                // The arguments require one of them.
                (None, None) => Ok((None, vec![])),
            })
            .await?;
        let dry_run = context.args.dry_run;
        let text = match &*undone {
            [one] if self.run.is_none() => one.sentence(context.not_changed()),
            all => summary(all, context.not_changed()),
        };
        let all_done = undone.iter().all(|one| one.refusal.is_none());
        let exit = if all_done { Exit::Done } else { Exit::Partial };
        Ok(Output::new(exit, json(&moment, dry_run, run, &undone), text))
    }
}

fn json(moment: &Moment, dry_run: bool, run: Option<Uuid>, undone: &[Undone]) -> Value {
    let (done, refused): (Vec<&Undone>, Vec<&Undone>) = undone.iter().partition(|one| one.refusal.is_none());
    let sum = |count: fn(&Undone) -> u64| done.iter().map(|one| count(one)).sum::<u64>();
    json!({
        "ok": true,
        "partial": !refused.is_empty(),
        "dry_run": dry_run,
        "run_id": run,
        "undone_by": moment.actor.id,
        "undone_at": stamp(moment.now),
        "undone": done.len(),
        "slots_booked": done.iter().filter(|one| one.slot == Some(Fate::Booked)).count(),
        "notices_expired": sum(|one| one.notices_expired),
        "notices_told": sum(|one| one.notices_told),
        "visits": done.iter().map(|one| one.json()).collect::<Value>(),
        "not_undone": refused.iter().map(|one| one.json()).collect::<Value>(),
    })
}

/// Undoes the last mark of a visit. The visit is waited for, as where a person marks it.
async fn undo_visit(tx: &Transaction<'_>, moment: &Moment, visit: &Key, reason: &str) -> Result<Undone, Error> {
    let found = no_such_key(LOCK_VISIT.opt(tx, &[visit]).await);
    let row = found.map_err(|error| held(error, format_args!("visit {visit}")))?;
    let Some(row) = row else {
        let message = format!("there is no visit {visit}; nothing was changed");
        return Err(refused("UNKNOWN_APPOINTMENT", message));
    };
    let visit: Key = row.get("id");
    may_undo(&moment.actor, &visit, &row)?;
    let marks = Marks::of_visit(tx, &visit).await?;
    let status = row.get::<_, Option<&str>>("status").unwrap_or("of no known state");
    if marks.is_empty() {
        return Err(not_undoable(&visit, &format!("was not marked by rounds, and is {status}")));
    }
    let what = format!("visit {visit}, its slot or its notices");
    let undone = marks.undo_one(tx, moment, reason).await.map_err(|error| held(error, &what))?;
    match undone {
        Some(Undone { refusal: Some(refusal), .. }) if refusal.cause == Cause::Locked => Err(locked(&what)),
        Some(Undone { refusal: Some(refusal), .. }) => Err(not_undoable(&visit, &refusal.reason)),
        Some(done) => Ok(done),
        None => Err(not_undoable(&visit, "has no mark any more")),
    }
}

/// Refuses who may not mark the visit either.
fn may_undo(actor: &Actor, visit: &Key, row: &Row) -> Result<(), Error> {
    if row.get::<_, Option<Key>>("doctor_user_id").as_ref() == Some(&actor.id) {
        return Ok(());
    }
    actor.require(STAFF, "no-show undo")?;
    match row.get::<_, Option<Key>>("facility_id") {
        Some(facility) => actor.require_facility(&facility, "visit"),
        None => Err(not_undoable(visit, "has no facility")),
    }
}

/// Undoes every mark of a run.
async fn undo_run(
    tx: &Transaction<'_>,
    moment: &Moment,
    run: &Which,
    reason: &str,
) -> Result<(Uuid, Vec<Undone>), Error> {
    moment.actor.require(&[ADMIN], "no-show undo --run")?;
    // The marks may be older than the run's row, which is pruned: then only the whole id leads to them.
    let run = match run.whole() {
        Some(id) => id,
        None => run.find(tx, Some(MarkNoShows::NAME)).await?,
    };
    let row = RUN.opt(tx, &[&run]).await?;
    let job = row.as_ref().map(|row| row.get::<_, &str>("job_name"));
    if let Some(job) = job.filter(|job| *job != MarkNoShows::NAME) {
        return Err(refused("UNKNOWN_RUN", format!("--run: {run} is a run of {job}, which marks no visits")));
    }
    // The row of a run that died may stay RUNNING as long as the job is paused.
    if row.as_ref().is_some_and(|row| row.get("is_at_work")) {
        let message = format!("run {run} is at work still; stop it first, or wait; nothing was changed");
        return Err(Error::new("RUN_AT_WORK", ErrorKind::Other, message));
    }
    let marks = Marks::of_run(tx, run).await?;
    if marks.is_empty() && job.is_none() {
        return Err(refused("UNKNOWN_RUN", format!("--run: there is no run {run}, and no mark of it")));
    }
    let facility = moment.actor.facility.as_ref().filter(|_| !moment.actor.is_of_the_group());
    // What the application holds is left to the next try, and holds nobody up meanwhile.
    tx.batch_execute(&format!("SET LOCAL lock_timeout = {}", BATCH_LOCK.as_millis())).await?;
    Ok((run, marks.undo_each(tx, moment, reason, facility).await?))
}

/// What became of the marks of a run: the counts, then the visits of which not all could be taken back.
fn summary(undone: &[Undone], dry: &str) -> String {
    let done: Vec<&Undone> = undone.iter().filter(|one| one.refusal.is_none()).collect();
    let count = |count: fn(&Undone) -> u64| done.iter().map(|one| count(one)).sum::<u64>();
    let mut text = format!(
        "{} of {} undone{dry}; {} booked again; {} withdrawn, {} had been sent.\n",
        done.len(),
        counted(undone.len(), "no-show"),
        counted(count(|one| u64::from(one.slot == Some(Fate::Booked))), "slot"),
        counted(count(|one| one.notices_expired), "unsent notice"),
        count(|one| one.notices_told),
    );
    let rows: Vec<Vec<String>> = undone.iter().filter_map(Undone::exception).collect();
    if !rows.is_empty() {
        text.push_str(&listing(&["visit", "status", "exception"], &rows, ""));
    }
    text
}

fn not_undoable(visit: &Key, reason: &str) -> Error {
    Error::new("NOT_UNDOABLE", ErrorKind::Other, format!("visit {visit} {reason}; nothing was changed"))
}
