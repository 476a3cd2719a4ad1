//! `rounds stage-alerts`: alerts the staff to patients who wait for vitals, for the doctor, or too long.
//!
//! Rule: an alert is due if and only if the visit is CHECKED_IN, it never had one of this type, and
//! NO_VITALS: no vitals, and now >= slot end + `--no-vitals-minutes`;
//! NO_DOCTOR: vitals, and now >= slot end + `--no-doctor-minutes`;
//! WAITING_TOO_LONG: now >= check-in + the facility's `waiting_alert_minutes`, else `--waiting-minutes`, else never.
//! With `--basis arrival` the first two count from max(slot start, check-in) and from the vitals. An open alert is
//! resolved if and only if the visit is no longer CHECKED_IN, or it is NO_VITALS and there are vitals.
//!
//! Safe to run again: a constraint allows one alert per visit and type, ever; a RESOLVED alert is not open.
//!
//! Leaves alone: visits and alerts that are locked by another session, which are left to the next run, and alerts that
//! people resolved.

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

use crate::clinic::alerts::AlertType;
use crate::clinic::local_time::{no_slot_length, outer_dates, unreadable_zone, unreadable_zones};
use crate::clinic::outbox;
use crate::db::statements;
use crate::error::Error;
use crate::run::{Batch, Counts, Halt, Job, NotDone, Run, apply, count, skipped_columns};

const DUE: &str = include_str!("due.part.sql");
const RESOLVED: &str = include_str!("resolved.part.sql");

statements! {
    NO_SLOT_LENGTH(DATE) = include_str!("no_slot_length.sql");
    SCAN(TIMESTAMPTZ, INT8_ARRAY, TEXT, INT4, INT4, INT4, INT4, INT8) = format!(
        "WITH due AS MATERIALIZED (SELECT alert.type, a.id FROM appointments a\n{DUE})\n\
         SELECT type, id FROM due ORDER BY id LIMIT $8"
    );
    SCAN_RESOLVED(INT8) = format!("SELECT x.id FROM stage_alerts x\n{RESOLVED}ORDER BY x.id LIMIT $1");
    RAISE(TIMESTAMPTZ, INT8_ARRAY, TEXT, INT4, INT4, INT4, INT4, INT8_ARRAY, TEXT, UUID) = format!(
        include_str!("raise.sql"),
        due = DUE,
        outbox = outbox::NOTIFIED,
        skipped_columns = skipped_columns("$8", "locked", "due", "appointments"),
    );
    RESOLVE(TIMESTAMPTZ, INT8_ARRAY, UUID) = format!(
        include_str!("resolve.sql"),
        resolved = RESOLVED,
        skipped_columns = skipped_columns("$2", "locked", "resolved", "stage_alerts"),
    );
}

/// Alert staff to patients who wait for vitals, for the doctor, or too long
#[derive(Args, Debug, Serialize)]
pub struct StageAlerts {
    /// From when minutes count: the end of the slot, or the patient's arrival and vitals
    #[arg(long, env = "ROUNDS_ALERT_BASIS", value_enum, default_value_t = Basis::SlotEnd)]
    pub basis: Basis,
    /// Minutes without vitals until the nurses are alerted
    #[arg(long, env = "ROUNDS_NO_VITALS_MINUTES", value_name = "MINUTES", default_value_t = 5)]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=1440))]
    pub no_vitals_minutes: i32,
    /// Minutes without the doctor until the doctor is alerted
    #[arg(long, env = "ROUNDS_NO_DOCTOR_MINUTES", value_name = "MINUTES", default_value_t = 10)]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=1440))]
    pub no_doctor_minutes: i32,
    /// Minutes since check-in until all staff are alerted, where the facility has no number of its own [default: never]
    #[arg(long, env = "ROUNDS_WAITING_MINUTES", value_name = "MINUTES")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..=1440))]
    pub waiting_minutes: Option<i32>,
    /// How many local days before today are looked at [default: all]
    #[arg(long, env = "ROUNDS_ALERT_LOOKBACK_DAYS", value_name = "DAYS")]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=3650))]
    pub lookback_days: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    SlotEnd,
    Arrival,
}

impl Basis {
    fn as_str(self) -> &'static str {
        match self {
            Self::SlotEnd => "slot-end",
            Self::Arrival => "arrival",
        }
    }
}

/// scanned = raised + resolved + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The due alerts, the open alerts whose cause had ended, and the facilities and doctors that could not be
    /// assessed.
    scanned: u64,
    raised: u64,
    raised_by_type: RaisedByType,
    resolved: u64,
    notifications: u64,
    /// The raised alerts that have no recipient: no active nurse, or a doctor without a login.
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

/// The ids that the scan found.
struct Found {
    /// Facilities whose time zone cannot be read.
    zones: Vec<i64>,
    /// Doctors without a slot length.
    doctors: Vec<i64>,
    /// Visits, by the type of their alert.
    due: Vec<(AlertType, Vec<i64>)>,
    /// Alerts whose cause has ended.
    resolved: Vec<i64>,
}

impl Job for StageAlerts {
    const NAME: &'static str = "stage-alerts";
    type Report = Report;

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let found = run.read("looking for waiting patients", async |tx| self.scan(run, tx).await).await?;
        let items = found.due.iter().map(|(_, ids)| ids.len()).sum::<usize>() + found.resolved.len();
        run.brake(items)?;
        report.scanned = (items + found.zones.len() + found.doctors.len()) as u64;
        run.items_failed(&mut report.not_done, "facility", &found.zones, &unreadable_zone()).await?;
        run.items_failed(&mut report.not_done, "doctor", &found.doctors, &no_slot_length()).await?;
        for (alert, due) in &found.due {
            self.raise(run, &found.zones, *alert, due, report).await?;
        }
        resolve(run, &found.resolved, report).await
    }
}

impl StageAlerts {
    /// The parameters $3 to $7 of the rule; $1 is now, and $2 the unreadable zones.
    fn parameters<'a>(&'a self, basis: &'a &'static str) -> [&'a (dyn ToSql + Sync); 5] {
        [basis, &self.no_vitals_minutes, &self.no_doctor_minutes, &self.waiting_minutes, &self.lookback_days]
    }

    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let limit = run.scan_limit();
        let first = self.lookback_days.map(|days| outer_dates(run.now, days.unsigned_abs()).0);
        let zones: Vec<i64> = unreadable_zones(tx).await?.iter().filter_map(|key| key.as_str().parse().ok()).collect();
        let doctors = match self.basis {
            Basis::SlotEnd => NO_SLOT_LENGTH.all(tx, &[&first]).await?,
            Basis::Arrival => vec![],
        };
        let basis = self.basis.as_str();
        let [basis, vitals, doctor, waiting, lookback] = self.parameters(&basis);
        let rows = SCAN.all(tx, &[&run.now, &zones, basis, vitals, doctor, waiting, lookback, &limit]).await?;
        let due = AlertType::ALL.map(|alert| {
            let of_this_type = rows.iter().filter(|row| row.get::<_, &str>("type") == alert.as_str());
            (alert, of_this_type.map(|row| row.get("id")).collect())
        });
        let resolved = SCAN_RESOLVED.all(tx, &[&limit]).await?;
        let ids = |rows: Vec<Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>();
        Ok(Found { zones, doctors: ids(doctors), due: due.into(), resolved: ids(resolved) })
    }

    async fn raise(
        &self,
        run: &Run,
        zones: &Vec<i64>,
        alert: AlertType,
        due: &[i64],
        report: &mut Report,
    ) -> Result<(), Halt> {
        let statement = async |tx: &Transaction<'_>, ids: &[i64]| {
            let (basis, alert) = (self.basis.as_str(), alert.as_str());
            let [basis, vitals, doctor, waiting, lookback] = self.parameters(&basis);
            let parameters: [&(dyn ToSql + Sync); 10] =
                [&run.now, zones, basis, vitals, doctor, waiting, lookback, &ids, &alert, &run.id];
            RAISE.one(tx, &parameters).await
        };
        let batch = Batch { entity: "appointment", ids: due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            let raised = count(row, "raised");
            report.raised += raised;
            report.notifications += count(row, "notifications");
            report.undeliverable += count(row, "undeliverable");
            *match alert {
                AlertType::NoVitals => &mut report.raised_by_type.no_vitals,
                AlertType::NoDoctor => &mut report.raised_by_type.no_doctor,
                AlertType::WaitingTooLong => &mut report.raised_by_type.waiting_too_long,
            } += raised;
        })
        .await
    }
}

async fn resolve(run: &Run, alerts: &[i64], report: &mut Report) -> Result<(), Halt> {
    let statement = async |tx: &Transaction<'_>, ids: &[i64]| RESOLVE.one(tx, &[&run.now, &ids, &run.id]).await;
    let batch = Batch { entity: "stage_alert", ids: alerts };
    apply(run, batch, &mut report.not_done, statement, |row| report.resolved += count(row, "resolved")).await
}
