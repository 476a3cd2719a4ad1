//! `rounds mark-no-shows`: marks missed visits as no-shows, releases their slots, and notifies their patients.
//!
//! Rule: a visit is due if and only if it is LOCAL, SCHEDULED or CONFIRMED, its local day is today or at most
//! `--lookback-days` ago, and now >= start + timeout, where start is date and time in the facility's zone and timeout
//! is the facility's `no_show_after_minutes` if set, else the doctor's slot length; its start is not inside an active
//! absence of its doctor; and nobody undid a mark of that start. Its slot is released if and only if now < the slot's
//! end.
//!
//! Safe to run again: a marked visit is no longer SCHEDULED or CONFIRMED, so it is not due; the change compares the
//! status, so a patient who checks in at that moment is not marked.
//!
//! Leaves alone: visits from other systems; visits that start while their doctor is away, which the clinic deals with
//! as leave (`doctor_absent`; a person may mark them: that is a decision, and this is a guess); visits of which a
//! person undid a mark, until they are moved to another start (`undone`); and visits or slots that are locked by
//! another session, which are left to the next run. Patients of an earlier day are marked but not notified.

mod explain;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::debug;
use uuid::Uuid;

use crate::arg::whole;
use crate::clinic::absences::absences;
use crate::clinic::channels::has_one;
use crate::clinic::local_time::{
    clock_time, day, minutes, no_slot_length, outer_dates, slot_length, unreadable_start, unreadable_zone,
    unreadable_zones,
};
use crate::clinic::own_blocks::own_blocks_recorded;
use crate::clinic::visits::joins_of_visit;
use crate::clinic::words::{clock, moment};
use crate::clinic::{facility, local_time, outbox};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, Row, Statement, cut_name, statements};
use crate::error::Error;
use crate::run::{Batch, Counts, FacilityArgs, Halt, Job, NotDone, Reach, Run, apply, count, skipped_columns};

const LATE: &str = include_str!("late.part.sql");
const DUE: &str = concat!(include_str!("late.part.sql"), include_str!("due.part.sql"));

statements! {
    of facility, local_time;
    NO_SLOT_LENGTH(DATE, DATE, KEY) =
        format!(include_str!("no_slot_length.sql"), slot_length = slot_length(), no_show_after = no_show_after());
    SCAN(TIMESTAMPTZ, DATE, DATE, INT4, KEYS, INT8, KEY) =
        format!(include_str!("scan.sql"), awaited = awaited(), late = LATE);
    OLDEST(TIMESTAMPTZ, DATE, DATE, INT4, KEYS, KEY) = format!(
        "SELECT min(visit.starts_at + make_interval(mins => wait.timeout_minutes)) AS due_since
         FROM appointments a\n{}{DUE}AND (a.facility_id = $6 OR $6 IS NULL)",
        awaited()
    );
    MARK(TIMESTAMPTZ, DATE, DATE, INT4, KEYS, KEYS, UUID, TEXT, TEXT, TEXT, KEY) =
        mark(&(awaited() + DUE));
    MARK_BY_HAND(TIMESTAMPTZ, DATE, DATE, INT4, KEYS, KEYS, UUID, TEXT, TEXT, TEXT, KEY) =
        mark(&(visit() + include_str!("by_hand.part.sql")));
    EXPLAIN(TIMESTAMPTZ, DATE, DATE, INT4, KEYS, KEY) = format!(
        include_str!("explain.sql"),
        due = awaited() + DUE,
        visit = visit() + &excuse_of_visit(),
    );
    LOGS(TEXT) = "SELECT l.reason, l.triggered_at, l.slot_released, l.slot_id IS NOT NULL AS has_slot, l.created_by, l.run_id,
                         l.undone_at, l.undone_by
                  FROM no_show_logs l WHERE l.appointment_id = $1 ORDER BY l.id";
}

/// The joins of a visit, and of how long its patient is waited for.
fn visit() -> String {
    joins_of_visit("$1", "$5")
        + &format!(include_str!("wait.part.sql"), slot_length = slot_length(), no_show_after = no_show_after())
}

/// The joins of a visit and of its excuse, and the WHERE clause for the visits that the job looks at.
fn awaited() -> String {
    visit() + &excuse_of_visit() + include_str!("awaited.part.sql")
}

/// The join of a visit's excuse.
fn excuse_of_visit() -> String {
    format!(include_str!("excuse.part.sql"), absences = absences("d.id", "tz.zone", "visit.day - 1"))
}

/// The facility's own timeout in minutes, in SQL.
fn no_show_after() -> String {
    minutes("f.no_show_after_minutes")
}

/// The statement that marks a batch of visits that are due by `rule`.
fn mark(rule: &str) -> String {
    format!(
        include_str!("apply.sql"),
        due = rule,
        doctor = cut_name("d.last_name"),
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
        slot_end = clock_time("s.end_time"),
        absences =
            absences("visits.slot_doctor", "visits.zone", "(visits.slot_starts_at AT TIME ZONE visits.zone)::date - 1"),
        start = clock("m.start_time"),
        start_of_day = moment("m.day + m.start_time"),
        has_phone = has_one("p.phone"),
        own_blocks_recorded = own_blocks_recorded("$1", "$7"),
        outbox = outbox::notified(),
        skipped_columns = skipped_columns("$6", "pairs", "marked", "appointments")
    )
}

/// Mark visits to which nobody came as no-shows, free their slots, tell the patients
#[derive(Args, Debug, Serialize)]
pub struct MarkNoShows {
    /// How many local days before today are looked at, for a scheduler that was down; 0 is today only
    #[arg(long, env = "ROUNDS_LOOKBACK_DAYS", value_name = "DAYS", default_value_t = 7, allow_negative_numbers = true)]
    #[arg(value_parser = whole::<u32>(0..=3650))]
    pub lookback_days: u32,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

/// scanned = marked + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The visits whose patient has not come within the timeout, and the facilities and doctors whose visits could not
    /// be assessed.
    scanned: u64,
    /// The visits that were marked as no-shows.
    marked: u64,
    /// The slots of them that are free again.
    slots_released: u64,
    /// The notices that were staged for delivery.
    notifications: u64,
    /// The visits that were marked too late for a notice.
    notices_expired: u64,
    /// The notices that are recorded but not sent, because the patient wants no SMS.
    notices_suppressed: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.marked, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }
}

impl Job for MarkNoShows {
    const NAME: &'static str = "mark-no-shows";
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
        let zones = unreadable_zones(tx).await?;
        let zones = Keys(&zones);
        let window = Window::new(now, self.lookback_days);
        let [now, first, last, lookback, zones] = window.parameters(&zones);
        Ok(OLDEST.one(tx, &[now, first, last, lookback, zones, &facility]).await?.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let window = Window::new(run.now, self.lookback_days);
        let found = run.read("looking for missed visits", async |tx| window.scan(run, tx).await).await?;
        run.brake(run.to_try("appointment", "", &found.due)).await?;
        let zones = run.of_its_facility(found.zones.clone());
        let unjudged = zones.len() + found.doctors.len() + found.unreadable.len();
        report.scanned = (unjudged + found.due.len() + found.excused.len()) as u64;
        for Excused { id, reason } in &found.excused {
            debug!(run_id = %run.id, entity = "appointment", %id, "skipped: {reason}");
            report.not_done.skip(reason, 1);
        }
        run.items_failed(&mut report.not_done, "facility", &zones, &unreadable_zone()).await?;
        run.items_failed(&mut report.not_done, "doctor", &found.doctors, &no_slot_length()).await?;
        run.items_failed(&mut report.not_done, "appointment", &found.unreadable, &unreadable_start()).await?;
        let marking = Marking {
            statement: &MARK,
            window: &window,
            zones: &found.zones,
            act: run.id,
            reason: Reason::AutoTimeout,
            author: run.actor(),
            notes: None,
            facility: run.facility(),
        };
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| marking.apply(tx, ids).await;
        let batch = Batch { entity: "appointment", part: "", ids: &found.due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            report.marked += count(row, "marked");
            report.slots_released += count(row, "slots_released");
            report.notifications += count(row, "notifications");
            report.notices_expired += count(row, "notices_expired");
            report.notices_suppressed += count(row, "notices_suppressed");
        })
        .await
    }
}

/// The reason for which a visit is a no-show, as in `no_show_logs.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    AutoTimeout,
    ManualStaff,
    ManualDoctor,
    PatientCalled,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AutoTimeout => "AUTO_TIMEOUT",
            Self::ManualStaff => "MANUAL_STAFF",
            Self::ManualDoctor => "MANUAL_DOCTOR",
            Self::PatientCalled => "PATIENT_CALLED",
        }
    }
}

/// A visit that a person marks as a no-show.
pub struct ByHand<'a> {
    pub visit: &'a Key,
    pub now: DateTime<Utc>,
    pub reason: Reason,
    pub author: &'a Key,
    pub notes: Option<&'a str>,
}

impl ByHand<'_> {
    /// Marks the visit with the job's own statement, and returns its row of counts. The visit is due by another rule:
    /// it is LOCAL, and SCHEDULED, CONFIRMED or CHECKED_IN.
    pub async fn mark(&self, tx: &Transaction<'_>) -> Result<Row, Error> {
        let zones = unreadable_zones(tx).await?;
        let marking = Marking {
            statement: &MARK_BY_HAND,
            window: &Window::new(self.now, 0),
            zones: &zones,
            act: Uuid::new_v4(),
            reason: self.reason,
            author: Some(self.author),
            notes: self.notes,
            facility: None,
        };
        marking.apply(tx, std::slice::from_ref(self.visit)).await
    }
}

/// A statement that marks visits, and its parameters except the ids.
struct Marking<'a> {
    statement: &'static Statement,
    window: &'a Window,
    zones: &'a [Key],
    act: Uuid,
    reason: Reason,
    author: Option<&'a Key>,
    notes: Option<&'a str>,
    /// The facility to which the run is kept.
    facility: Option<&'a Key>,
}

impl Marking<'_> {
    async fn apply(&self, tx: &Transaction<'_>, ids: &[Key]) -> Result<Row, Error> {
        let zones = Keys(self.zones);
        let [now, first, last, lookback, zones] = self.window.parameters(&zones);
        let Self { act, author, notes, facility, .. } = self;
        let reason = self.reason.as_str();
        let ids = Keys(ids);
        let parameters: [&(dyn ToSql + Sync); 11] =
            [now, first, last, lookback, zones, &ids, act, &reason, author, notes, facility];
        self.statement.one(tx, &parameters).await
    }
}

/// The instant and the dates of the rule.
struct Window {
    now: DateTime<Utc>,
    first: NaiveDate,
    last: NaiveDate,
    lookback_days: i32,
}

/// The ids that the scan found.
struct Found {
    /// Facilities whose time zone cannot be read.
    zones: Vec<Key>,
    /// Doctors without a slot length.
    doctors: Vec<Key>,
    /// Visits whose start cannot be read.
    unreadable: Vec<Key>,
    /// Visits that are due.
    due: Vec<Key>,
    /// Visits that are left alone.
    excused: Vec<Excused>,
}

/// A visit that is left alone, and the reason as in the report.
struct Excused {
    id: Key,
    reason: &'static str,
}

/// The reasons of `excuse.part.sql`.
fn excuse(reason: &str) -> &'static str {
    match reason {
        "doctor_absent" => "doctor_absent",
        "undone" => "undone",
        _ => "excused",
    }
}

impl Window {
    fn new(now: DateTime<Utc>, lookback_days: u32) -> Self {
        let (first, last) = outer_dates(now, lookback_days);
        Self { now, first, last, lookback_days: lookback_days.cast_signed() }
    }

    /// The parameters of the rule, $1 to $5.
    fn parameters<'a>(&'a self, zones: &'a Keys<'a>) -> [&'a (dyn ToSql + Sync); 5] {
        [&self.now, &self.first, &self.last, &self.lookback_days, zones]
    }

    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let (limit, facility) = (run.scan_limit(), run.facility());
        let zones = unreadable_zones(tx).await?;
        let doctors = NO_SLOT_LENGTH.all(tx, &[&self.first, &self.last, &facility]).await?;
        let without_zone = Keys(&zones);
        let [now, first, last, lookback, without_zone] = self.parameters(&without_zone);
        let found = SCAN.all(tx, &[now, first, last, lookback, without_zone, &limit, &facility]).await?;
        let excused = found.iter().filter_map(|row| {
            let reason: Option<&str> = row.get("excuse");
            Some(Excused { id: row.get("id"), reason: excuse(reason?) })
        });
        let excused = excused.collect();
        let judged = found.iter().filter(|row| row.get::<_, Option<&str>>("excuse").is_none());
        let (unreadable, due): (Vec<&Row>, Vec<&Row>) = judged.partition(|row| row.get("is_unreadable"));
        let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.get("id")).collect();
        let (doctors, unreadable, due) = (ids(doctors.iter().collect()), ids(unreadable), ids(due));
        Ok(Found { zones, doctors, unreadable, due, excused })
    }
}
