//! `rounds stage-alerts`: staff are told of patients who are stuck between the front desk and the doctor.
//!
//! Rule: an alert is due if and only if the visit is CHECKED_IN, it never had one of this type, and
//! NO_VITALS: no vitals, and now >= slot end + `--no-vitals-minutes`;
//! NO_DOCTOR: vitals, and now >= slot end + `--no-doctor-minutes`;
//! WAITING_TOO_LONG: now >= check-in + the facility's `waiting_alert_minutes`, else `--waiting-minutes`, else never.
//! With `--basis arrival` the first two count from max(slot start, check-in) and from the vitals. An open alert is over
//! if and only if the visit is no longer CHECKED_IN, or it is NO_VITALS and there are vitals.
//!
//! Safe to run again: one alert per visit and type, ever, by constraint; what is RESOLVED is not open.
//!
//! Leaves alone: visits and alerts that somebody holds right now (the next run's), and alerts that people resolved.

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use crate::clinic::local_time::{no_slot_length, outer_dates, unreadable_zone, unreadable_zones};
use crate::clinic::outbox;
use crate::error::Error;
use crate::run::{Batch, Counts, Halt, Job, NotDone, Run, apply, count, skipped_columns};

crate::db::statements! {}

const DUE: &str = include_str!("due.part.sql");
const OVER: &str = include_str!("resolved.part.sql");
const UNJUDGED: &str = include_str!("no_slot_length.sql");
/// In the order in which they are raised.
const TYPES: [&str; 3] = ["NO_VITALS", "NO_DOCTOR", "WAITING_TOO_LONG"];

/// Alert staff to patients who wait for vitals, for the doctor, or too long
#[derive(Args, Debug, Serialize)]
pub struct StageAlerts {
    /// From when minutes count: the end of the slot, or the patient's arrival and vitals
    #[arg(long, env = "ROUNDS_ALERT_BASIS", value_enum, default_value_t = Basis::SlotEnd)]
    pub basis: Basis,
    /// Minutes without vitals until the nurses are alerted
    #[arg(long, env = "ROUNDS_NO_VITALS_MINUTES", value_name = "MINUTES", default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=1440))]
    pub no_vitals_minutes: i32,
    /// Minutes without the doctor until the doctor is alerted
    #[arg(long, env = "ROUNDS_NO_DOCTOR_MINUTES", value_name = "MINUTES", default_value_t = 10, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=1440))]
    pub no_doctor_minutes: i32,
    /// Minutes since check-in until all staff are alerted, where the facility has no number of its own [default: never]
    #[arg(long, env = "ROUNDS_WAITING_MINUTES", value_name = "MINUTES", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..=1440))]
    pub waiting_minutes: Option<i32>,
    /// How many local days before today are looked at [default: all]
    #[arg(long, env = "ROUNDS_ALERT_LOOKBACK_DAYS", value_name = "DAYS", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=3650))]
    pub lookback_days: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    SlotEnd,
    Arrival,
}

impl Basis {
    fn sql(self) -> &'static &'static str {
        match self {
            Self::SlotEnd => &"slot-end",
            Self::Arrival => &"arrival",
        }
    }
}

/// scanned = raised + resolved + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Alerts that were due, open alerts that were over, and facilities and doctors that could not be judged.
    scanned: u64,
    raised: u64,
    raised_by_type: RaisedByType,
    resolved: u64,
    notifications: u64,
    /// Raised, but there is nobody to tell: no active nurse, a doctor without a login.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

#[derive(Debug, Default, Serialize)]
struct RaisedByType {
    no_vitals: u64,
    no_doctor: u64,
    waiting_too_long: u64,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.raised + self.resolved, not_done: &self.not_done }
    }
}

/// What the scan found.
struct Found {
    zones: Vec<i64>,
    doctors: Vec<i64>,
    /// Ids of visits, by type.
    due: [Vec<i64>; TYPES.len()],
    /// Ids of alerts.
    over: Vec<i64>,
}

impl Job for StageAlerts {
    const NAME: &'static str = "stage-alerts";
    type Report = Report;

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let found = run.read("looking for waiting patients", async |tx| self.scan(run, tx).await).await?;
        let items = found.due.iter().map(Vec::len).sum::<usize>() + found.over.len();
        run.brake(items)?;
        report.scanned = (items + found.zones.len() + found.doctors.len()) as u64;
        run.items_failed(&mut report.not_done, "facility", &found.zones, &unreadable_zone()).await?;
        run.items_failed(&mut report.not_done, "doctor", &found.doctors, &no_slot_length()).await?;
        for (alert, due) in TYPES.into_iter().zip(&found.due) {
            self.raise(run, &found.zones, alert, due, report).await?;
        }
        resolve(run, &found.over, report).await
    }
}

impl StageAlerts {
    /// The parameters of the rule.
    fn rule<'a>(&'a self, run: &'a Run, zones: &'a Vec<i64>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        vec![
            (&run.now, Type::TIMESTAMPTZ),
            (zones, Type::INT8_ARRAY),
            (self.basis.sql(), Type::TEXT),
            (&self.no_vitals_minutes, Type::INT4),
            (&self.no_doctor_minutes, Type::INT4),
            (&self.waiting_minutes, Type::INT4),
            (&self.lookback_days, Type::INT4),
        ]
    }

    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let due = format!(
            "WITH due AS MATERIALIZED (SELECT alert.type, a.id FROM appointments a\n{DUE})\n\
             SELECT type, id FROM due ORDER BY id LIMIT $8"
        );
        let over = format!("SELECT x.id FROM stage_alerts x\n{OVER}ORDER BY x.id LIMIT $1");
        let limit = run.scan_limit();
        let first = self.lookback_days.map(|days| outer_dates(run.now, days.unsigned_abs()).0);
        let zones = unreadable_zones(tx).await?;
        let doctors = match self.basis {
            Basis::SlotEnd => tx.query_typed(UNJUDGED, &[(&first, Type::DATE)]).await?,
            Basis::Arrival => vec![],
        };
        let mut rule = self.rule(run, &zones);
        rule.push((&limit, Type::INT8));
        let rows = tx.query_typed(&due, &rule).await?;
        drop(rule);
        let due = TYPES.map(|alert| {
            rows.iter().filter(|row| row.get::<_, &str>(0) == alert).map(|row| row.get(1)).collect::<Vec<i64>>()
        });
        let over = tx.query_typed(&over, &[(&limit, Type::INT8)]).await?;
        let ids = |rows: Vec<Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>();
        Ok(Found { zones, doctors: ids(doctors), due, over: ids(over) })
    }

    async fn raise(
        &self,
        run: &Run,
        zones: &Vec<i64>,
        alert: &'static str,
        due: &[i64],
        report: &mut Report,
    ) -> Result<(), Halt> {
        let skipped_columns = skipped_columns("$8", "locked", "due", "appointments");
        let raise =
            format!(include_str!("raise.sql"), due = DUE, outbox = outbox::NOTIFIED, skipped_columns = skipped_columns);
        let statement = async |tx: &Transaction<'_>, ids: &[i64]| {
            let mut parameters = self.rule(run, zones);
            parameters.extend([
                (&ids as &(dyn ToSql + Sync), Type::INT8_ARRAY),
                (&alert, Type::TEXT),
                (&run.id, Type::UUID),
            ]);
            Ok(tx.query_typed_one(&raise, &parameters).await?)
        };
        let batch = Batch { entity: "appointment", ids: due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            let raised = count(row, "raised");
            report.raised += raised;
            report.notifications += count(row, "notifications");
            report.undeliverable += count(row, "undeliverable");
            *match alert {
                "NO_VITALS" => &mut report.raised_by_type.no_vitals,
                "NO_DOCTOR" => &mut report.raised_by_type.no_doctor,
                _ => &mut report.raised_by_type.waiting_too_long,
            } += raised;
        })
        .await
    }
}

async fn resolve(run: &Run, over: &[i64], report: &mut Report) -> Result<(), Halt> {
    let skipped_columns = skipped_columns("$2", "locked", "resolved", "stage_alerts");
    let resolve = format!(include_str!("resolve.sql"), over = OVER, skipped_columns = skipped_columns);
    let statement = async |tx: &Transaction<'_>, ids: &[i64]| {
        Ok(tx.query_typed_one(&resolve, &[(&run.now, Type::TIMESTAMPTZ), (&ids, Type::INT8_ARRAY), (&run.id, Type::UUID)])
            .await?)
    };
    let batch = Batch { entity: "stage_alert", ids: over };
    apply(run, batch, &mut report.not_done, statement, |row| report.resolved += count(row, "resolved")).await
}
