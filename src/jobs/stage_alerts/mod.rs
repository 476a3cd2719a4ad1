//! `rounds stage-alerts`: alerts the staff to patients who wait for vitals, for the doctor, or too long.
//!
//! Rule: an alert is due if and only if the visit is CHECKED_IN, its local day is today or at most `--lookback-days`
//! ago, it never had one of this type for the day and time of its start, and
//! NO_VITALS: no vitals, and now >= slot end + `--no-vitals-minutes`;
//! NO_DOCTOR: vitals, and now >= slot end + `--no-doctor-minutes`;
//! WAITING_TOO_LONG: now >= check-in + the facility's `waiting_alert_minutes`, else `--waiting-minutes`, else never.
//! With `--basis arrival` the first two count from max(slot start, check-in) and from the vitals. An open alert is
//! resolved if and only if the visit is no longer CHECKED_IN, or is deleted or moved, or it is NO_VITALS and there are
//! vitals; of whatever day.
//! Told of NO_VITALS are the nurses of the facility, of NO_DOCTOR the doctor, of WAITING_TOO_LONG its NURSEs,
//! RECEPTIONISTs, DOCTORs and HOSPITAL_ADMINs; where none of them is active the HOSPITAL_ADMINs of the group. An alert
//! names the patient, and only who deals with alerts may read that: no MANAGER, no BILLING, no AGENT. Each is told as they prefer, and always in the application, since an alert is HIGH.
//!
//! Safe to run again: a constraint allows one alert per visit, type and start; a RESOLVED alert is not open.
//!
//! Leaves alone: visits of earlier days, so that a clinic which never closes its visits is not flooded with alerts of
//! patients who left long ago; visits and alerts that are locked by another session, which are left to the next run,
//! and alerts that people resolved.

mod explain;
mod rule;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::arg::whole;
use crate::clinic::alerts::AlertType;
use crate::clinic::channels::as_preferred;
use crate::clinic::local_time::{
    clock_time, day, instant, minutes, no_slot_length, outer_dates, slot_length, unreadable_zone, unreadable_zones,
};
use crate::clinic::words::clock;
use crate::clinic::{facility, local_time, outbox, visits};
use crate::command::explain::ExplainArgs;
use crate::db::{Key, Keys, Row, cut_name, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{
    Batch, Counts, FacilityArgs, Halt, Job, NotDone, Reach, Run, UNDELIVERABLE_COLUMN, apply, count, skipped_columns,
    undeliverable, undeliverable_recorded,
};
use rule::Rule;

const DUE: &str = include_str!("due.part.sql");
/// The number of open alerts that are looked at together.
const PAGE: i64 = 10_000;

statements! {
    of facility, local_time, visits;
    NO_SLOT_LENGTH(DATE, KEY) = format!(
        include_str!("no_slot_length.sql"),
        slot_length = slot_length(),
        slot_day = day("s.slot_date"),
        slot_end = clock_time("s.end_time"),
    );
    SCAN(TIMESTAMPTZ, KEYS, TEXT, INT4, INT4, INT4, DATE, INT4, INT8, KEY) =
        format!(include_str!("scan.sql"), waiting = waiting(), due = DUE);
    OPEN(INT8, INT8) = include_str!("open.sql");
    ENDED(KEYS, KEYS, KEY) = format!(include_str!("ended.sql"), ended = ended_rule());
    RAISE(TIMESTAMPTZ, KEYS, TEXT, INT4, INT4, INT4, DATE, INT4, KEYS, TEXT, UUID, KEY) = format!(
        include_str!("raise.sql"),
        first_name = cut_name("p.first_name"),
        last_name = cut_name("p.last_name"),
        mrn = cut_name("p.mrn"),
        waiting = waiting(),
        due = DUE,
        checked_in_at = clock("(visit.checked_in_at AT TIME ZONE tz.zone)"),
        channels = as_preferred("'HIGH'"),
        outbox = outbox::notified(),
        undeliverable_recorded = undeliverable_recorded("$11", "appointment"),
        undeliverable_column = UNDELIVERABLE_COLUMN,
        skipped_columns = skipped_columns("$9", "locked", "due", "appointments"),
    );
    RESOLVE(TIMESTAMPTZ, KEYS, KEYS, UUID, KEY) = format!(
        include_str!("resolve.sql"),
        ended = ended_rule(),
        skipped_columns = skipped_columns("$3", "locked", "resolved", "stage_alerts"),
    );
    EXPLAIN(TIMESTAMPTZ, KEYS, TEXT, INT4, INT4, INT4, DATE, INT4, KEY) = format!(
        include_str!("explain.sql"),
        day = day("a.appointment_date"),
        visit_start = visit_start(),
        waiting_minutes = minutes("f.waiting_alert_minutes"),
        waiting = waiting(),
        due = DUE,
    );
    ALERTS(TEXT) = "SELECT x.id::text AS id, x.alert_type, x.status, x.triggered_at, x.resolved_at, x.resolved_by,
                           x.run_id, x.status IN ('ACTIVE', 'ACKNOWLEDGED') AS open
                    FROM stage_alerts x WHERE x.appointment_id = $1 ORDER BY x.id";
    VISIT_OF(INT8) = "SELECT x.appointment_id FROM stage_alerts x WHERE x.id = $1";
}

/// The joins and the conditions of a patient who waits.
fn waiting() -> String {
    format!(
        include_str!("waiting.part.sql"),
        day = day("a.appointment_date"),
        visit_start = visit_start(),
        slot_length = slot_length(),
        checked_in_at = instant("a.checked_in_at"),
        vitals_recorded_at = instant("a.vitals_recorded_at"),
        slot_day = day("s.slot_date"),
        slot_end = clock_time("s.end_time"),
        waiting_minutes = minutes("f.waiting_alert_minutes"),
    )
}

/// The joins and the conditions of an open alert whose cause has ended.
fn ended_rule() -> String {
    format!(include_str!("ended.part.sql"), visit_start = visit_start())
}

/// The day and time of a visit `a` by its facility's clock, in SQL.
fn visit_start() -> String {
    format!("({} + {})", day("a.appointment_date"), clock_time("a.start_time"))
}

/// Alert staff to patients who wait for vitals, for the doctor, or too long
#[derive(Args, Debug, Serialize)]
pub struct StageAlerts {
    /// From when minutes count: the end of the slot, or the patient's arrival and vitals
    #[arg(long, env = "ROUNDS_ALERT_BASIS", value_enum, default_value_t = Basis::SlotEnd)]
    pub basis: Basis,
    /// Minutes without vitals until the nurses are alerted
    #[arg(long, env = "ROUNDS_NO_VITALS_MINUTES", value_name = "MINUTES", default_value_t = 5)]
    #[arg(allow_negative_numbers = true, value_parser = whole::<i32>(0..=1440))]
    pub no_vitals_minutes: i32,
    /// Minutes without the doctor until the doctor is alerted
    #[arg(long, env = "ROUNDS_NO_DOCTOR_MINUTES", value_name = "MINUTES", default_value_t = 10)]
    #[arg(allow_negative_numbers = true, value_parser = whole::<i32>(0..=1440))]
    pub no_doctor_minutes: i32,
    /// Minutes since check-in until nurses, reception, doctors and admins are alerted, where the facility has no number of its own [default: never]
    #[arg(long, env = "ROUNDS_WAITING_MINUTES", value_name = "MINUTES")]
    #[arg(allow_negative_numbers = true, value_parser = whole::<i32>(1..=1440))]
    pub waiting_minutes: Option<i32>,
    /// How many local days before today are looked at; 0 is today only
    #[arg(long, env = "ROUNDS_ALERT_LOOKBACK_DAYS", value_name = "DAYS", default_value_t = 1)]
    #[arg(allow_negative_numbers = true, value_parser = whole::<u32>(0..=3650))]
    pub lookback_days: u32,
    #[command(flatten)]
    #[serde(flatten)]
    pub only: FacilityArgs,
    #[command(flatten)]
    #[serde(skip)]
    pub asked: ExplainArgs,
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
    /// The due alerts, the open alerts whose cause had ended, and the facilities, doctors and visits that could not be
    /// assessed.
    scanned: u64,
    /// The alerts that were raised.
    raised: u64,
    /// The same by their type.
    raised_by_type: RaisedByType,
    /// The alerts whose cause had ended, and that were closed.
    resolved: u64,
    /// The messages that were staged.
    notifications: u64,
    /// The raised alerts that have no recipient, neither those whom they concern nor an admin.
    undeliverable: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

#[derive(Debug, Default, Serialize)]
struct RaisedByType {
    /// Nobody has taken the vitals.
    no_vitals: u64,
    /// The doctor has not come.
    no_doctor: u64,
    /// The patient waits too long.
    waiting_too_long: u64,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.raised + self.resolved, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

/// The ids that the scan found.
struct Found {
    /// Facilities whose time zone cannot be read.
    zones: Vec<Key>,
    /// Doctors without a slot length.
    doctors: Vec<Key>,
    /// Visits with a time that cannot be read, on which an alert depends.
    unreadable: Vec<Key>,
    /// Visits, by the type of their alert.
    due: Vec<(AlertType, Vec<Key>)>,
    /// Alerts whose cause has ended.
    ended: Vec<OpenAlert>,
}

/// An open alert, and its visit, unless that is deleted.
struct OpenAlert {
    id: Key,
    visit: Option<Key>,
}

impl Job for StageAlerts {
    const NAME: &'static str = "stage-alerts";
    const TELLS: bool = true;
    type Report = Report;

    fn reach(&self) -> Reach<'_> {
        self.only.reach()
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        let found = run.read("looking for waiting patients", async |tx| self.scan(run, tx).await).await?;
        let items = found.due.iter().map(|(_, ids)| ids.len()).sum::<usize>() + found.ended.len();
        let to_raise = found.due.iter().map(|(alert, ids)| run.to_try("appointment", alert.as_str(), ids));
        let ended: Vec<&Key> = found.ended.iter().map(|alert| &alert.id).collect();
        run.brake(to_raise.sum::<usize>() + run.to_try("stage_alert", "", &ended)).await?;
        let zones = run.of_its_facility(found.zones.clone());
        let unjudged = zones.len() + found.doctors.len() + found.unreadable.len();
        report.scanned = (items + unjudged) as u64;
        run.items_failed(&mut report.not_done, "facility", &zones, &unreadable_zone()).await?;
        run.items_failed(&mut report.not_done, "doctor", &found.doctors, &no_slot_length()).await?;
        run.items_failed(&mut report.not_done, "appointment", &found.unreadable, &unreadable_time()).await?;
        // First, so that an alert for the new start of a visit is never open beside the one for the old start.
        resolve(run, &found.ended, report).await?;
        for (alert, due) in &found.due {
            self.raise(run, &found.zones, *alert, due, report).await?;
        }
        Ok(())
    }
}

impl StageAlerts {
    fn rule(&self, now: DateTime<Utc>) -> Rule {
        let (first, _) = outer_dates(now, self.lookback_days);
        Rule {
            basis: self.basis.as_str(),
            no_vitals_minutes: self.no_vitals_minutes,
            no_doctor_minutes: self.no_doctor_minutes,
            waiting_minutes: self.waiting_minutes,
            first,
            lookback_days: self.lookback_days.cast_signed(),
        }
    }

    async fn scan(&self, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
        let limit = run.scan_limit();
        let rule = self.rule(run.now);
        let zones = unreadable_zones(tx).await?;
        let doctors = match self.basis {
            Basis::SlotEnd => NO_SLOT_LENGTH.all(tx, &[&rule.first, &run.facility()]).await?,
            Basis::Arrival => vec![],
        };
        let doctors = doctors.iter().map(|row| row.get("id")).collect();
        let [basis, vitals, doctor, waiting, first, lookback] = rule.parameters();
        let facility = run.facility();
        let parameters: [&(dyn ToSql + Sync); 10] =
            [&run.now, &Keys(&zones), basis, vitals, doctor, waiting, first, lookback, &limit, &facility];
        let rows = SCAN.all(tx, &parameters).await?;
        let (unreadable, due): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.get("is_unreadable"));
        let mut unreadable: Vec<Key> = unreadable.iter().map(|row| row.get("id")).collect();
        // In the order of ids; a visit may have two alerts that cannot be judged.
        unreadable.dedup();
        let due = AlertType::ALL.map(|alert| {
            let of_this_type = due.iter().filter(|row| row.get::<_, &str>("type") == alert.as_str());
            (alert, of_this_type.map(|row| row.get("id")).collect())
        });
        let ended = ended(run, tx, limit).await?;
        Ok(Found { zones, doctors, unreadable, due: due.into(), ended })
    }

    async fn raise(
        &self,
        run: &Run,
        zones: &[Key],
        alert: AlertType,
        due: &[Key],
        report: &mut Report,
    ) -> Result<(), Halt> {
        let rule = self.rule(run.now);
        let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
            let [basis, vitals, doctor, waiting, first, lookback] = rule.parameters();
            let (zones, ids, alert, facility) = (Keys(zones), Keys(ids), alert.as_str(), run.facility());
            let parameters: [&(dyn ToSql + Sync); 12] =
                [&run.now, &zones, basis, vitals, doctor, waiting, first, lookback, &ids, &alert, &run.id, &facility];
            RAISE.one(tx, &parameters).await
        };
        let batch = Batch { entity: "appointment", part: alert.as_str(), ids: due };
        apply(run, batch, &mut report.not_done, statement, |row| {
            let raised = count(row, "raised");
            report.raised += raised;
            report.notifications += count(row, "notifications");
            report.undeliverable += undeliverable(row);
            *match alert {
                AlertType::NoVitals => &mut report.raised_by_type.no_vitals,
                AlertType::NoDoctor => &mut report.raised_by_type.no_doctor,
                AlertType::WaitingTooLong => &mut report.raised_by_type.waiting_too_long,
            } += raised;
        })
        .await
    }
}

/// The open alerts whose cause has ended. The search ends with the page that reaches `limit`.
async fn ended(run: &Run, tx: &Transaction<'_>, limit: i64) -> Result<Vec<OpenAlert>, Error> {
    let facility = run.facility();
    let mut ended = vec![];
    let mut last = 0_i64;
    while (ended.len() as i64) < limit {
        let page = OPEN.all(tx, &[&last, &PAGE]).await?;
        let Some(row) = page.last() else { break };
        last = row.get("id");
        let alerts: Vec<Key> = page.iter().map(|row| Key::from(row.get::<_, i64>("id").to_string())).collect();
        let visits: Vec<Key> = page.iter().map(|row| row.get("appointment_id")).collect();
        let look = async |visits: &[Key]| ENDED.all(tx, &[&Keys(&alerts), &Keys(visits), &facility]).await;
        let found = visits::read_by(tx, &visits, look).await?;
        ended.extend(found.iter().map(|row| OpenAlert { id: row.get("id"), visit: row.get("visit") }));
    }
    Ok(ended)
}

async fn resolve(run: &Run, alerts: &[OpenAlert], report: &mut Report) -> Result<(), Halt> {
    let visits: HashMap<&Key, &Key> =
        alerts.iter().filter_map(|alert| Some((&alert.id, alert.visit.as_ref()?))).collect();
    let statement = async |tx: &Transaction<'_>, ids: &[Key]| {
        let visits: Vec<Key> = ids.iter().filter_map(|id| visits.get(id).map(|visit| (*visit).clone())).collect();
        RESOLVE.one(tx, &[&run.now, &Keys(&visits), &Keys(ids), &run.id, &run.facility()]).await
    };
    let ids: Vec<Key> = alerts.iter().map(|alert| alert.id.clone()).collect();
    let batch = Batch { entity: "stage_alert", part: "", ids: &ids };
    apply(run, batch, &mut report.not_done, statement, |row| report.resolved += count(row, "resolved")).await
}

/// The error of a visit with an alert that depends on a time which cannot be read.
fn unreadable_time() -> Error {
    let message = "appointment_date, start_time, checked_in_at or vitals_recorded_at is no day or time, such as \
                   2026-03-02 and 09:30; the alerts that depend on it were not judged";
    Error::new("UNREADABLE_TIME", ErrorKind::Data, message)
}
