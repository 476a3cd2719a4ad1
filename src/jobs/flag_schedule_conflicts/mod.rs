//! `rounds flag-schedule-conflicts`: tells the patients whose visits no longer fit the hours of their doctor, and the
//! admins.
//!
//! Rule: a visit is due if and only if it is LOCAL, SCHEDULED or CONFIRMED, begins after now, not inside an active
//! absence of its doctor, who has or had hours; the whole of it lies in none of the hours of its day of the week, or in
//! a break; it was made no later than these hours were changed last; and its patient was not told of it and this change
//! before. The whole of it is from its start to the end of its slot, else for the doctor's slot length, all by the
//! facility's clock. A flag is cleared if and only if its visit fits again, is moved, begun, deleted, or no longer
//! SCHEDULED or CONFIRMED.
//!
//! Hours are changed where their hash differs from that of the last look (`schedule_versions`): since the time that the
//! clinic's rows say, if it is later than theirs at the last look, else since now. The first look at a day of a doctor's
//! week takes the clinic's word for when it was changed, and where the clinic has none, what does not fit then is
//! counted and never told.
//!
//! Safe to run again: a flag is unique for a visit and a change of hours, so a patient is told once of both. Admins get
//! a list of the flags that no list had. A run that dies leaves them to the next.
//!
//! Leaves alone: the visits themselves and their slots; visits of other systems; visits that begin while their doctor is
//! away, with which `apply-absences` deals; and doctors with hours that cannot be read, whose visits are not judged.

mod admins;
mod explain;
mod flags;
mod hours;
mod report;
mod rule;
mod scan;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::clinic::channels::has_one;
use crate::clinic::local_time::{no_slot_length, unreadable_start, unreadable_zone};
use crate::clinic::words::{clock, weekday};
use crate::clinic::{facility, local_time, outbox, visits};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, cut_name, statements};
use crate::error::Error;
use crate::run::{Batch, FacilityArgs, Halt, Job, Reach, Run, WriteOptions, apply, count, skipped_columns};
use hours::unreadable_hours;
use report::{Report, Visit, Warning};
use rule::{Scope, awaited, joins, made_at};
use scan::Found;

statements! {
    of facility, local_time, visits, admins, flags, hours, scan;
    FLAG(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, BOOL, KEYS, UUID) = format!(
        include_str!("flag.sql"),
        awaited = awaited(),
        doctor = cut_name("d.last_name"),
        weekday = weekday("m.day"),
        start = clock("m.start_time"),
        has_phone = has_one("p.phone"),
        outbox = outbox::notified(),
        skipped_columns = skipped_columns("$7", "locked", "flagged", "appointments"),
    );
    OLDEST(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, BOOL) = format!(
        "SELECT min(version.changed_at) AS due_since FROM appointments a\n{}AND standing.class = 'DUE'",
        awaited()
    );
    EXPLAIN(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, BOOL, KEY) =
        format!(include_str!("explain.sql"), made_at = made_at(), awaited = awaited(), joins = joins());
    FLAGS(TEXT) = "SELECT x.id::text AS id, x.flagged_at, x.changed_at, x.cleared_at, x.cleared_by, x.run_id
                   FROM schedule_flags x WHERE x.appointment_id = $1 ORDER BY x.id";
    VISIT_OF(INT8) = "SELECT x.appointment_id FROM schedule_flags x WHERE x.id = $1";
}

/// Tell patients whose visits no longer fit the changed hours of their doctor, and the facility's admins
#[derive(Args, Debug, Serialize)]
pub struct FlagScheduleConflicts {
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
}

impl Job for FlagScheduleConflicts {
    const NAME: &'static str = "flag-schedule-conflicts";
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
        let scope = Scope::read(tx, now, facility.cloned(), true).await?;
        let (zones, doctors) = scope.keys();
        let [now, first, zones, doctors, facility, any] = scope.parameters(&zones, &doctors);
        Ok(OLDEST.one(tx, &[now, first, zones, doctors, facility, any]).await?.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        // What a dry run writes of the hours is not there afterwards, so it judges by those that nobody has recorded.
        let (facility, any) = (run.facility().cloned(), run.dry_run());
        let read = async |tx: &Transaction<'_>| Scope::read(tx, run.now, facility.clone(), any).await;
        let scope = run.read("looking for hours that cannot be read", read).await?;
        let look = async |tx: &Transaction<'_>| hours::look(tx, run.now, &scope.doctors, run.id).await;
        report.schedules_changed = run.write("looking at the hours", WriteOptions::default(), look).await?;
        let found =
            run.read("looking for visits that do not fit", async |tx| scan::scan(&scope, run, tx).await).await?;
        let ended: Vec<&Key> = found.ended.iter().map(|flag| &flag.id).collect();
        let due: Vec<Key> = found.due.iter().map(|visit| visit.id.clone()).collect();
        run.brake(run.to_try("appointment", "", &due) + run.to_try(flags::FLAG, "", &ended)).await?;
        unjudged(run, &scope, &found, report).await?;
        report.scanned += (due.len() + ended.len()) as u64;
        report.only_counted = found.only_counted();
        flags::clear(run, &scope, &found.ended, report).await?;
        let listed = flag(run, &scope, &found, &due, report).await;
        // Also after a stop: who was flagged by now is in the report. The next run tells the admins.
        let (flagged, ended) = listed;
        report.warning = (!flagged.is_empty()).then(|| Warning::of(&flagged));
        ended?;
        let visits = found.unlisted.iter().chain(flagged);
        admins::tell(run, visits, &found.counted, report).await
    }
}

/// Counts and records what could not be judged.
async fn unjudged(run: &Run, scope: &Scope, found: &Found, report: &mut Report) -> Result<(), Halt> {
    let zones = run.of_its_facility(scope.zones.clone());
    let failed = [zones.len(), scope.rows.len(), found.doctors.len(), found.unreadable.len()];
    report.scanned += failed.iter().sum::<usize>() as u64;
    run.items_failed(&mut report.not_done, "facility", &zones, &unreadable_zone()).await?;
    run.items_failed(&mut report.not_done, "doctor_schedule", &scope.rows, &unreadable_hours()).await?;
    run.items_failed(&mut report.not_done, "doctor", &found.doctors, &no_slot_length()).await?;
    run.items_failed(&mut report.not_done, "appointment", &found.unreadable, &unreadable_start()).await
}

/// Flags the visits that are due. Returns those that it flagged, also if it had to stop.
async fn flag<'a>(
    run: &Run,
    scope: &Scope,
    found: &'a Found,
    due: &[Key],
    report: &mut Report,
) -> (Vec<&'a Visit>, Result<(), Halt>) {
    let mut flagged: Vec<Key> = vec![];
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
        let (zones, doctors) = scope.keys();
        let [now, first, zones, doctors, facility, any] = scope.parameters(&zones, &doctors);
        FLAG.one(tx, &[now, first, zones, doctors, facility, any, &Keys(ids), &run.id]).await
    };
    let batch = Batch { entity: "appointment", part: "", ids: due };
    let ended = apply(run, batch, &mut report.not_done, statement, |row| {
        report.flagged += count(row, "flagged");
        report.notifications += count(row, "notifications");
        report.notices_suppressed += count(row, "notices_suppressed");
        flagged.extend(row.get::<_, Vec<Key>>("visits"));
    })
    .await;
    flagged.sort_unstable();
    let is_flagged = |visit: &&Visit| flagged.binary_search(&visit.id).is_ok();
    (found.due.iter().filter(is_flagged).collect(), ended)
}
