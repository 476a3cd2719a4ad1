//! `rounds mark-no-shows`: visits to which nobody came become no-shows, their slots free again, their patients told.
//!
//! Rule: a visit is due if and only if it is LOCAL, SCHEDULED or CONFIRMED, its local day is today or at most
//! `--lookback-days` ago, and now >= start + timeout, where start is date and time in the facility's zone and timeout is
//! the facility's `no_show_after_minutes` if set, else the doctor's slot length. Its slot is released if and only if
//! now < the slot's end.
//!
//! Safe to run again: a marked visit is no longer SCHEDULED or CONFIRMED, so it is not due; the change compares the
//! status, so a patient who checks in at the same moment wins.
//!
//! Leaves alone: visits from other systems, visits or slots that somebody holds right now (the next run's), and patients
//! of an earlier day, who are marked but not told so late.

use clap::Args;
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::local_time::{no_slot_length, outer_dates, unreadable_zone, unreadable_zones};
use crate::outbox;
use crate::run::{Batch, Halt, Job, NotDone, Run, apply, count};

const DUE: &str = include_str!("mark_no_shows.due.sql");
const UNJUDGED: &str = include_str!("mark_no_shows.unjudged.sql");

/// Mark visits to which nobody came as no-shows, free their slots, tell the patients
#[derive(Args, Debug, Serialize)]
pub struct MarkNoShows {
    /// How many local days before today are looked at, for a scheduler that was down; 0 is today only
    #[arg(long, env = "ROUNDS_LOOKBACK_DAYS", value_name = "DAYS", default_value_t = 7, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=3650))]
    pub lookback_days: u32,
}

/// scanned = marked + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Visits that were due, and facilities and doctors whose visits could not be judged.
    scanned: u64,
    marked: u64,
    slots_released: u64,
    /// Staged for delivery.
    notifications: u64,
    /// Marked too late for anyone to be told.
    notices_expired: u64,
    /// Recorded but not to be sent: the patient wants no SMS.
    notices_suppressed: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

impl crate::run::Report for Report {
    fn scanned(&self) -> u64 {
        self.scanned
    }
    fn processed(&self) -> u64 {
        self.marked
    }
    fn not_done(&self) -> &NotDone {
        &self.not_done
    }
}

impl Job for MarkNoShows {
    const NAME: &'static str = "mark-no-shows";
    type Report = Report;

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let (first, last) = outer_dates(run.now, self.lookback_days);
        let days = i32::try_from(self.lookback_days).unwrap_or(i32::MAX);
        let scan = format!("SELECT a.id FROM appointments a\n{DUE}ORDER BY a.id LIMIT $6");
        let found = run.read("looking for missed visits", async |tx| {
            let zones = unreadable_zones(tx).await?;
            let doctors = tx.query_typed(UNJUDGED, &[(&first, Type::DATE), (&last, Type::DATE)]).await?;
            let due = tx
                .query_typed(
                    &scan,
                    &[
                        (&run.now, Type::TIMESTAMPTZ),
                        (&first, Type::DATE),
                        (&last, Type::DATE),
                        (&days, Type::INT4),
                        (&zones, Type::INT8_ARRAY),
                        (&run.scan_limit(), Type::INT8),
                    ],
                )
                .await?;
            let ids = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>();
            Ok((zones, ids(doctors), ids(due)))
        });
        let (zones, doctors, due) = found.await?;
        run.brake(due.len())?;
        report.scanned = (zones.len() + doctors.len() + due.len()) as u64;
        for &facility in &zones {
            run.item_failed(&mut report.not_done, "facility", facility, &unreadable_zone()).await?;
        }
        for &doctor in &doctors {
            run.item_failed(&mut report.not_done, "doctor", doctor, &no_slot_length()).await?;
        }
        let mark = format!(include_str!("mark_no_shows.sql"), due = DUE, outbox = outbox::NOTIFIED);
        let statement = async |tx: &tokio_postgres::Transaction<'_>, ids: &[i64]| {
            tx.query_typed_one(
                &mark,
                &[
                    (&run.now, Type::TIMESTAMPTZ),
                    (&first, Type::DATE),
                    (&last, Type::DATE),
                    (&days, Type::INT4),
                    (&zones, Type::INT8_ARRAY),
                    (&ids, Type::INT8_ARRAY),
                    (&run.id, Type::UUID),
                ],
            )
            .await
        };
        let batch = Batch { entity: "appointment", ids: &due };
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
