//! `rounds notify-cancellations`: tells doctors of cancelled visits, and releases the slots of these.
//!
//! Rule: a visit is due if and only if it is LOCAL and CANCELLED, its local day is today, later, or at most
//! `--lookback-days` ago, and the ledger `visit_cancellations` does not have this cancellation, or a slot still has the
//! visit. The ledger has a cancellation if and only if an open row of it is for the visit and its start, and the
//! clinic's `cancelled_at`, if there is one, is not later than that row. A row is ended if and only if its visit is
//! CANCELLED no more, or is due again. Every slot that still has the visit is released; it is blocked if and only if it
//! lies in an active absence of its doctor.
//! Cancelled is when the clinic says, else when a run first saw it. HIGH and last-minute is what was cancelled at most
//! 24 hours before its start. Nobody is told of what was cancelled before the ledger began (BEFORE), of what had begun
//! when it was cancelled or is over now (PAST), and of what its own doctor cancelled, who knows (BY_DOCTOR). Told is
//! the doctor; where that one has no active user who wants to be told, the RECEPTIONISTs of the facility
//! (TOLD_STAND_INS).
//!
//! Safe to run again: an index allows one open row a visit, and a notice is staged only with the row that it is about.
//! The ledger begins, by its row BEGAN, at the end of the first run that is not of one facility; what a run finds
//! before that is BEFORE, unless the clinic says that it was cancelled since.
//!
//! Leaves alone: visits from other systems; slots that another visit has by now; and visits or slots that are locked by
//! another session, which are left to the next run. What apply-absences cancels is in the ledger as BY_ABSENCE.

mod ended;
mod explain;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::arg::whole;
use crate::clinic::absences::absences;
use crate::clinic::channels::as_preferred;
use crate::clinic::local_time::{
    clock_time, day, instant, outer_dates, slot_length, unreadable_start, unreadable_zone, unreadable_zones,
};
use crate::clinic::own_blocks::own_blocks_recorded;
use crate::clinic::visits::joins_of_visit;
use crate::clinic::words::{clock, short_day};
use crate::clinic::{facility, local_time, outbox};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, Row, cut_name, statements};
use crate::error::Error;
use crate::run::{
    Batch, Counts, FacilityArgs, Halt, Job, NotDone, Reach, Run, UNDELIVERABLE_COLUMN, WriteOptions, apply, count,
    skipped_columns, undeliverable, undeliverable_recorded,
};
use ended::{CANCELLATION, Ended};

const CANCELLED: &str = include_str!("cancelled.part.sql");
const DUE: &str = include_str!("due.part.sql");

statements! {
    of ended, facility, local_time;
    BEGAN() = "SELECT max(b.seen_at) AS began FROM visit_cancellations b WHERE b.outcome = 'BEGAN'";
    // A run may find that another has begun it meanwhile.
    BEGIN(TIMESTAMPTZ, UUID) = "INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome, run_id)
                                VALUES ($1, $1, 'BEGAN', $2)
                                ON CONFLICT (outcome) WHERE outcome = 'BEGAN' DO NOTHING";
    SCAN(TIMESTAMPTZ, DATE, INT4, KEYS, INT8, KEY) =
        format!(include_str!("scan.sql"), cancelled = seen() + CANCELLED, due = DUE);
    OLDEST(TIMESTAMPTZ, DATE, INT4, KEYS, KEY) = format!(
        "SELECT min(LEAST(said.of_clinic, $1)) AS due_since
         FROM appointments a\n{}{CANCELLED}{DUE}AND (a.facility_id = $5 OR $5 IS NULL)",
        seen()
    );
    RECORD(TIMESTAMPTZ, DATE, INT4, KEYS, TIMESTAMPTZ, KEYS, UUID, KEY) = format!(
        include_str!("apply.sql"),
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
        slot_end = clock_time("s.end_time"),
        doctor = cut_name("d.last_name"),
        judged = judged("a.last_end") + CANCELLED,
        cancelled = seen() + CANCELLED,
        due = DUE,
        channels = as_preferred("f.priority"),
        absences = absences("due.slot_doctor", "due.zone", "(due.slot_starts_at AT TIME ZONE due.zone)::date - 1"),
        first_name = cut_name("p.first_name"),
        last_name = cut_name("p.last_name"),
        start = clock("r.visit_start"),
        day = short_day("r.visit_start"),
        own_blocks_recorded = own_blocks_recorded("$1", "$7"),
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$7", "appointment"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
        skipped_columns = skipped_columns("$6", "pairs", "handled", "appointments"),
    );
    EXPLAIN(TIMESTAMPTZ, DATE, INT4, KEYS, TIMESTAMPTZ, KEY) = format!(
        include_str!("explain.sql"),
        judged = judged(&format!(
            "SELECT max({} + {}) FROM doctor_slots s WHERE s.appointment_id = a.id",
            day("s.slot_date"),
            clock_time("s.end_time")
        )),
        cancelled = seen() + CANCELLED,
        due = DUE,
    );
    ROWS(TEXT) = "SELECT x.outcome, x.cancelled_at, x.seen_at, x.ended_at, x.run_id, x.ended_at IS NULL AS open,
                         x.id::text AS id
                  FROM visit_cancellations x WHERE x.appointment_id = $1 ORDER BY x.id";
    VISIT_OF(INT8) = "SELECT x.appointment_id FROM visit_cancellations x WHERE x.id = $1";
}

/// The joins of a visit, and of the row of the ledger that has its cancellation.
fn seen() -> String {
    joins_of_visit("$1", "$4") + &format!(include_str!("seen.part.sql"), cancelled_at = instant("a.cancelled_at"))
}

/// The same joins, and what is judged of the cancellation. `slot_ends` is the latest end of its slots, in SQL.
fn judged(slot_ends: &str) -> String {
    seen() + &format!(include_str!("judged.part.sql"), slot_ends = slot_ends, slot_length = slot_length())
}

/// Tell doctors of cancelled visits, and free the slots
#[derive(Args, Debug, Serialize)]
pub struct NotifyCancellations {
    /// How many local days before today are looked at, for a scheduler that was down; 0 is today and later days only
    #[arg(long, env = "ROUNDS_CANCELLATION_LOOKBACK_DAYS", value_name = "DAYS", default_value_t = 7)]
    #[arg(allow_negative_numbers = true, value_parser = whole::<u32>(0..=3650))]
    pub lookback_days: u32,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

/// scanned = handled + ended + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The due visits, the rows of the ledger that are to be ended, and the facilities and visits that could not be
    /// assessed.
    scanned: u64,
    /// The visits whose cancellation was recorded, or whose slot was still to be released.
    handled: u64,
    /// The visits of which the doctor was told.
    told: u64,
    /// The visits of which the receptionists were told, because the doctor could not be.
    told_stand_ins: u64,
    /// Those of both that were cancelled at most 24 hours before their start.
    last_minute: u64,
    /// The cancelled visits that nobody is told of, by the reason.
    untold: Untold,
    /// The visits of which nobody could be told.
    undeliverable: u64,
    /// The slots that are free again.
    slots_released: u64,
    /// Those of the released slots that are blocked, because their doctor is away.
    slots_blocked: u64,
    /// The messages that were staged.
    notifications: u64,
    /// The rows of the ledger whose visit is cancelled no more.
    ended: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

/// The recorded visits of which nobody was to be told.
#[derive(Debug, Default, Serialize)]
struct Untold {
    /// They were cancelled before the ledger began.
    before: u64,
    /// They had begun when they were cancelled, or are over now.
    past: u64,
    /// The doctor cancelled them.
    by_doctor: u64,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.handled + self.ended, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

impl Report {
    fn add(&mut self, row: &Row) {
        self.handled += count(row, "handled");
        self.told += count(row, "told");
        self.told_stand_ins += count(row, "told_stand_ins");
        self.last_minute += count(row, "last_minute");
        self.untold.before += count(row, "before");
        self.untold.past += count(row, "past");
        self.untold.by_doctor += count(row, "by_doctor");
        self.undeliverable += undeliverable(row);
        self.slots_released += count(row, "slots_released");
        self.slots_blocked += count(row, "slots_blocked");
        self.notifications += count(row, "notifications");
    }
}

impl Job for NotifyCancellations {
    const NAME: &'static str = "notify-cancellations";
    const TELLS: bool = true;
    type Report = Report;

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    async fn oldest_due(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        facility: Option<&Key>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let window = Window::read(tx, now, self.lookback_days).await?;
        let zones = Keys(&window.zones);
        let [now, first, lookback, zones] = window.parameters(&zones);
        Ok(OLDEST.one(tx, &[now, first, lookback, zones, &facility]).await?.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let found = run.read("looking for cancelled visits", async |tx| self.scan(run, tx).await).await?;
        let ended: Vec<&Key> = found.ended.iter().map(|row| &row.id).collect();
        let items = run.to_try("appointment", "", &found.due) + run.to_try(CANCELLATION, "", &ended);
        match found.window.began {
            // Nobody is told of what was cancelled before the ledger began.
            None => run.brake_at_the_limit(items)?,
            Some(_) => run.brake(items).await?,
        }
        let zones = run.of_its_facility(found.window.zones.clone());
        report.scanned = (zones.len() + found.unreadable.len() + found.due.len() + ended.len()) as u64;
        run.items_failed(&mut report.not_done, "facility", &zones, &unreadable_zone()).await?;
        run.items_failed(&mut report.not_done, "appointment", &found.unreadable, &unreadable_start()).await?;
        let not_done = &mut report.not_done;
        ended::end(run, &found.ended, not_done, |row| report.ended += count(row, "ended")).await?;
        self.record(run, &found, report).await?;
        if found.window.began.is_none() && run.facility().is_none() {
            let begin = async |tx: &Transaction<'_>| BEGIN.execute(tx, &[&run.now, &run.id]).await;
            run.write("beginning the ledger of cancellations", WriteOptions::default(), begin).await?;
        }
        Ok(())
    }
}

impl NotifyCancellations {
    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let (limit, facility) = (run.scan_limit(), run.facility());
        let window = Window::read(tx, run.now, self.lookback_days).await?;
        let without_zone = Keys(&window.zones);
        let [now, first, lookback, zones] = window.parameters(&without_zone);
        let rows = SCAN.all(tx, &[now, first, lookback, zones, &limit, &facility]).await?;
        let (unreadable, due): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.get("is_unreadable"));
        let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.get("id")).collect();
        let (unreadable, due) = (ids(unreadable), ids(due));
        let ended = ended::find(tx, window.first, limit, facility).await?;
        Ok(Found { unreadable, due, ended, window })
    }

    async fn record(&self, run: &Run, found: &Found, report: &mut Report) -> Result<(), Halt> {
        let window = &found.window;
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
            let without_zone = Keys(&window.zones);
            let [now, first, lookback, zones] = window.parameters(&without_zone);
            let facility = run.facility();
            RECORD.one(tx, &[now, first, lookback, zones, &window.began, &Keys(ids), &run.id, &facility]).await
        };
        let mut not_done = std::mem::take(&mut report.not_done);
        let batch = Batch { entity: "appointment", part: "", ids: &found.due };
        let outcome = apply(run, batch, &mut not_done, statement, |row| report.add(row)).await;
        report.not_done = not_done;
        outcome
    }
}

/// The ids that the scan found.
struct Found {
    /// Visits whose start cannot be read.
    unreadable: Vec<Key>,
    /// Visits that are due.
    due: Vec<Key>,
    /// Rows of the ledger whose visit is cancelled no more.
    ended: Vec<Ended>,
    window: Window,
}

/// What the rule looks at beside the visits.
struct Window {
    now: DateTime<Utc>,
    first: NaiveDate,
    lookback_days: i32,
    /// The facilities whose time zone cannot be read.
    zones: Vec<Key>,
    /// When the ledger began; None: it has not.
    began: Option<DateTime<Utc>>,
}

impl Window {
    async fn read(tx: &Transaction<'_>, now: DateTime<Utc>, lookback_days: u32) -> Result<Self, Error> {
        let zones = unreadable_zones(tx).await?;
        let began = BEGAN.one(tx, &[]).await?.get("began");
        let (first, _) = outer_dates(now, lookback_days);
        Ok(Self { now, first, lookback_days: lookback_days.cast_signed(), zones, began })
    }

    /// The parameters of the rule, $1 to $4.
    fn parameters<'a>(&'a self, zones: &'a Keys<'a>) -> [&'a (dyn ToSql + Sync); 4] {
        [&self.now, &self.first, &self.lookback_days, zones]
    }
}
