//! `rounds apply-absences`: brings visits and slots to the state that the leave of their doctors asks for.
//!
//! Rule: a slot is due to be blocked if and only if it is not over, a part of it is inside an active absence of its
//! doctor, and it can be booked, or its block is that of a booking and not ours. A visit is due to be cancelled if and
//! only if it is LOCAL, SCHEDULED, CONFIRMED or CHECKED_IN, not over, and a part of it is inside an active absence of its
//! doctor of type EMERGENCY. A slot that we blocked is due to be unblocked if and only if it is not over and no active
//! absence of its doctor covers a part of it. An absence lasts from its first day (or its time on it) to its last day
//! (or its time on it), both included, by the facility's clock. Other visits inside an absence stay, and the admins of
//! the facility are told of each once; so they are of visits that stay cancelled where no emergency covers them any more.
//!
//! Safe to run again: it compares the state with the ledgers. `blocked_slots` says which slots are blocked by us and for
//! which absence, `absence_visits` what became of which visit, `absence_effects` in which state an absence was applied
//! last; only where that differs are its slots looked at again.
//!
//! Leaves alone: visits of other systems; visits that are over; slots that somebody else blocked; an absence that would
//! cancel more than `--max-cancel` visits, of which no part is done before a person says so (`--absence`); and visits or
//! slots that are locked by another session, which are left to the next run.

mod change;
mod explain;
pub mod preview;
mod rule;
mod scan;

use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::arg::whole;
use crate::clinic::actor::refused;
use crate::clinic::facility;
use crate::clinic::local_time::{unreadable_start, unreadable_zone, unreadable_zones};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{
    Batch, ByHand, Counts, Coverage, FacilityArgs, Halt, Job, NotDone, Reach, Run, apply, count, undeliverable,
};
use change::Change;
use rule::Rule;
use scan::Found;

statements! {
    of change, explain, facility, scan;
}

/// How many visits one absence may cancel without a person's word, where nothing else is said.
pub const MAX_CANCEL: u32 = 50;
/// The lane of a run of one absence.
const LANE_BY_HAND: &str = "by-hand";
/// What is done with slots and absences: the list of a dry run tells their ids from those of visits by that.
const BLOCK: &str = "block";
const UNBLOCK: &str = "unblock";
const RECORD: &str = "record";

/// Apply the leave of doctors: block their slots, cancel and tell the patients of emergencies
#[derive(Args, Debug, Serialize)]
pub struct ApplyAbsences {
    /// How many visits one absence may cancel without a person's word: one that would cancel more waits, and is a failed
    /// item (NEEDS_CONFIRMATION)
    #[arg(long, env = "ROUNDS_MAX_CANCEL", value_name = "N", default_value_t = MAX_CANCEL)]
    #[arg(value_parser = whole::<u32>(0..=100_000))]
    pub max_cancel: u32,
    /// Only this absence, in the lane by-hand; with --max-items N it may cancel N visits. Needs --actor
    #[arg(long, value_name = "ABSENCE_ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absence: Option<Key>,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

/// scanned = applied + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The visits and slots that were not in the state that the leave asks for, and the facilities, absences, visits and
    /// slots that could not be judged.
    scanned: u64,
    /// The visits that were cancelled, with their slots, and the other slots that were blocked, unblocked, or blocked for
    /// another leave.
    applied: u64,
    /// The visits that were cancelled for an emergency.
    appointments_cancelled: u64,
    /// Of these the patients who were checked in.
    checked_in: u64,
    /// The slots that were blocked, with those of the visits that were cancelled.
    slots_blocked: u64,
    /// The slots that were blocked for a leave that is withdrawn or over, and are free again.
    slots_unblocked: u64,
    /// The slots whose leave covers them no more, while another one does.
    slots_handed_over: u64,
    /// The absences that are recorded as applied or taken back.
    absences: u64,
    /// The visits that stay booked although their doctor is away, as admins were told.
    visits_kept: u64,
    /// The visits that stay cancelled although their leave was withdrawn, as admins were told.
    visits_not_restored: u64,
    /// The absences that wait for a person's word.
    waiting_for_confirmation: u64,
    /// The messages that were staged.
    notifications: u64,
    /// The notices that are recorded but not sent, because the patient wants no SMS.
    notices_suppressed: u64,
    /// The cancelled visits and the lists of which nobody could be told.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.applied, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

impl Job for ApplyAbsences {
    const NAME: &'static str = "apply-absences";
    const TELLS: bool = true;
    type Report = Report;

    fn lane(&self) -> String {
        self.absence.as_ref().map_or(String::new(), |_| LANE_BY_HAND.to_owned())
    }

    fn coverage(&self) -> Coverage {
        if self.absence.is_some() { Coverage::Named } else { Coverage::All }
    }

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    fn by_hand(&self) -> Option<ByHand> {
        self.absence.as_ref().map(|_| ByHand::Word("--absence"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let (rule, found) = run.read("looking at absences", async |tx| self.look(run, tx).await).await?;
        run.brake(run.to_try("appointment", "", &found.visits)).await?;
        report.waiting_for_confirmation = rule.held.len() as u64;
        let zones = run.of_its_facility(rule.zones.clone());
        let unjudged = [&zones, &rule.held, &found.unreadable, &found.unreadable_visits, &found.unreadable_slots];
        let items = [&found.slots, &found.visits, &found.to_unblock];
        report.scanned = unjudged.into_iter().chain(items).map(|ids| ids.len() as u64).sum();
        let not_done = &mut report.not_done;
        run.items_failed(not_done, "facility", &zones, &unreadable_zone()).await?;
        run.items_failed(not_done, "absence", &found.unreadable, &unreadable_absence()).await?;
        run.items_failed(not_done, "absence", &rule.held, &needs_confirmation()).await?;
        run.items_failed(not_done, "appointment", &found.unreadable_visits, &unreadable_start()).await?;
        run.items_failed(not_done, "slot", &found.unreadable_slots, &unreadable_slot()).await?;
        let change = Change::new(&rule, run.id);
        block(run, &change, &found.slots, report).await?;
        cancel(run, &change, &found.visits, report).await?;
        unblock(run, &change, &found.to_unblock, report).await?;
        record(run, &change, &found.absences, report).await
    }
}

impl ApplyAbsences {
    /// The most visits that one absence may cancel.
    fn most(&self, max_items: Option<u32>) -> i64 {
        i64::from(self.absence.as_ref().and(max_items).unwrap_or(self.max_cancel))
    }

    async fn look(&self, run: &Run, tx: &Transaction<'_>) -> Result<(Rule, Found), Error> {
        let only = match &self.absence {
            None => None,
            Some(id) => Some(scan::known(tx, id, run.facility()).await?.ok_or_else(|| {
                refused("UNKNOWN_ABSENCE", format!("--absence: there is no absence {id}; nothing was changed"))
            })?),
        };
        let zones = unreadable_zones(tx).await?;
        let mut rule = Rule { only, facility: run.facility().cloned(), ..Rule::new(run.now, zones) };
        rule.held = scan::held(tx, &rule, self.most(run.max_items())).await?;
        let found = scan::scan(tx, &rule, run.scan_limit()).await?;
        Ok((rule, found))
    }
}

/// First, so that nobody books a slot of which a visit is being cancelled.
async fn block(run: &Run, change: &Change<'_>, slots: &[Key], report: &mut Report) -> Result<(), Halt> {
    let batch = Batch { entity: "slot", part: BLOCK, ids: slots };
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| change.block(tx, ids).await;
    apply(run, batch, &mut report.not_done, statement, |row| {
        report.applied += count(row, "blocked");
        report.slots_blocked += count(row, "blocked");
    })
    .await
}

async fn cancel(run: &Run, change: &Change<'_>, visits: &[Key], report: &mut Report) -> Result<(), Halt> {
    let batch = Batch { entity: "appointment", part: "", ids: visits };
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| change.cancel(tx, ids).await;
    apply(run, batch, &mut report.not_done, statement, |row| {
        report.applied += count(row, "cancelled");
        report.appointments_cancelled += count(row, "cancelled");
        report.checked_in += count(row, "checked_in");
        report.slots_blocked += count(row, "freed");
        report.notifications += count(row, "notifications");
        report.notices_suppressed += count(row, "notices_suppressed");
        report.undeliverable += undeliverable(row);
    })
    .await
}

async fn unblock(run: &Run, change: &Change<'_>, slots: &[Key], report: &mut Report) -> Result<(), Halt> {
    let batch = Batch { entity: "slot", part: UNBLOCK, ids: slots };
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| change.unblock(tx, ids).await;
    apply(run, batch, &mut report.not_done, statement, |row| {
        report.applied += count(row, "ended") + count(row, "handed_over");
        report.slots_unblocked += count(row, "ended");
        report.slots_handed_over += count(row, "handed_over");
    })
    .await
}

/// Last, so that an absence is not recorded as applied before it is. It counts among what was scanned only where it
/// cannot be recorded.
async fn record(run: &Run, change: &Change<'_>, absences: &[Key], report: &mut Report) -> Result<(), Halt> {
    let mut not_done = NotDone::default();
    let batch = Batch { entity: "absence", part: RECORD, ids: absences };
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| change.record(tx, ids).await;
    let outcome = apply(run, batch, &mut not_done, statement, |row| {
        report.absences += count(row, "recorded");
        report.visits_kept += count(row, "kept");
        report.visits_not_restored += count(row, "not_restored");
        report.notifications += count(row, "notifications");
        report.undeliverable += undeliverable(row);
    })
    .await;
    report.scanned += not_done.skipped + not_done.failed;
    report.not_done.merge(not_done);
    outcome
}

/// The error of an absence that would cancel too many visits.
fn needs_confirmation() -> Error {
    let message = "it would cancel more visits than --max-cancel; no part of it was applied. Look at it with rounds \
                   absences preview ID; if it is right, run apply-absences --absence ID --max-items N --actor USER_ID";
    Error::new("NEEDS_CONFIRMATION", ErrorKind::Data, message)
}

fn unreadable_absence() -> Error {
    let message = "its days and times are no days and times, such as 2026-03-02 and 09:30; it was not applied";
    Error::new("UNREADABLE_TIME", ErrorKind::Data, message)
}

fn unreadable_slot() -> Error {
    let message = "slot_date and start_time are no day and time, such as 2026-03-02 and 09:30; it was not blocked";
    Error::new("UNREADABLE_TIME", ErrorKind::Data, message)
}
