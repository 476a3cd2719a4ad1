//! What a run says: its counts, and the warning that a clinic's application shows.

use serde::Serialize;

use crate::db::{Key, Row};
use crate::output::counted;
use crate::run::{Counts, NotDone};

/// The visits of a list; its message says how many there are.
const LISTED_MAX: usize = 1_000;

/// scanned = flagged + cleared + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The visits that do not fit, the flags that no longer hold, and what could not be judged.
    pub scanned: u64,
    /// The days of a doctor's week whose hours have changed since the last look.
    pub schedules_changed: u64,
    /// The visits that were flagged, because they no longer fit.
    pub flagged: u64,
    /// The flags whose visit fits again, or is not to be looked at any more.
    pub cleared: u64,
    /// The notices to patients.
    pub notifications: u64,
    /// The notices that are recorded but not sent, because the patient wants no SMS.
    pub notices_suppressed: u64,
    /// The lists that admins were told.
    pub admin_notices: u64,
    /// The facilities of whose list nobody could be told.
    pub undeliverable: u64,
    /// The visits that do not fit, and whose patients are never told.
    #[serde(flatten)]
    pub only_counted: OnlyCounted,
    /// The visits that were flagged, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<Warning>,
    #[serde(flatten)]
    pub not_done: NotDone,
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.flagged + self.cleared, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn undeliverable(&self) -> u64 {
        self.undeliverable
    }
}

/// The warning, as the clinic's application shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// A sentence with the number of the visits.
    pub message: String,
    /// The visits, in the shape of the old application.
    affected_appointments: Vec<Affected>,
}

#[derive(Debug, Serialize)]
struct Affected {
    /// The visit.
    id: String,
    /// Its local day.
    date: String,
    /// Its local time.
    time: String,
}

impl Warning {
    pub fn of(visits: &[&Visit]) -> Self {
        let affected =
            |visit: &&Visit| Affected { id: visit.id.to_string(), date: visit.date.clone(), time: visit.time.clone() };
        Self {
            message: format!("{} affected", counted(visits.len(), "existing appointment")),
            affected_appointments: visits.iter().take(LISTED_MAX).map(affected).collect(),
        }
    }
}

/// A visit that does not fit.
pub struct Visit {
    pub id: Key,
    pub facility: Key,
    /// The day and the time for machines.
    pub date: String,
    pub time: String,
    /// Both for people.
    pub moment: String,
}

impl From<&Row> for Visit {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            facility: row.get("facility_id"),
            date: row.get("day"),
            time: row.get("clock"),
            moment: row.get("moment"),
        }
    }
}

/// The visits that do not fit, and whose patients are never told.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OnlyCounted {
    /// Visits that do not fit, made after the last change of the hours: whoever made them knew.
    pub made_after_change: u64,
    /// Visits that do not fit, since their doctor never had hours.
    pub without_schedule: u64,
    /// Visits that did not fit at the first look, and nobody knows since when.
    pub undated: u64,
}

impl OnlyCounted {
    pub fn add(&mut self, class: &str, visits: u64) {
        *match class {
            "MADE_AFTER" => &mut self.made_after_change,
            "WITHOUT_SCHEDULE" => &mut self.without_schedule,
            _ => &mut self.undated,
        } += visits;
    }
}
