//! What the rule looks at: the joins of a visit, and the parameters.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::hours::{self, Unreadable};
use crate::clinic::absences::absences;
use crate::clinic::local_time::{clock_time, day, instant, outer_dates, slot_length, unreadable_zones};
use crate::clinic::visits::joins_of_visit;
use crate::db::{Key, Keys};
use crate::error::Error;

/// The joins of a visit, and of whether it fits.
pub fn joins_of_fit() -> String {
    joins_of_visit("$1", "$3")
        + &format!(
            include_str!("fit.part.sql"),
            slot_day = day("s.slot_date"),
            slot_end = clock_time("s.end_time"),
            slot_length = slot_length(),
            from = hours::starts(),
            to = hours::ends(),
            break_from = hours::break_starts(),
            break_to = hours::break_ends(),
        )
}

/// The same joins, and those of what the job makes of it.
pub fn joins() -> String {
    joins_of_fit()
        + &format!(
            include_str!("conflict.part.sql"),
            hours = hours::aggregates(),
            changed_at = hours::changed_at(),
            absences = absences("d.id", "tz.zone", "visit.day - 1"),
            made_at = made_at(),
        )
}

/// The joins, and the WHERE clause for the visits that the job looks at.
pub fn awaited() -> String {
    joins() + include_str!("awaited.part.sql")
}

/// When a visit was made, in SQL. One of which nobody knows counts as older than every change.
pub fn made_at() -> String {
    instant("a.created_at")
}

/// What a run looks at: the parameters $1 to $6 of the rule.
pub struct Scope {
    pub now: DateTime<Utc>,
    /// The first date that is today in some time zone.
    first: NaiveDate,
    /// The facilities whose time zone cannot be read.
    pub zones: Vec<Key>,
    /// The doctors who are not judged, because they have hours that cannot be read.
    pub doctors: Vec<Key>,
    /// Those hours.
    pub rows: Vec<Key>,
    facility: Option<Key>,
    /// Whether hours count that no run has recorded.
    any: bool,
}

impl Scope {
    pub async fn read(
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        facility: Option<Key>,
        any: bool,
    ) -> Result<Self, Error> {
        let (first, _) = outer_dates(now, 0);
        let zones = unreadable_zones(tx).await?;
        let Unreadable { rows, doctors } = Unreadable::read(tx, facility.as_ref()).await?;
        Ok(Self { now, first, zones, doctors, rows, facility, any })
    }

    /// The same at another instant.
    pub fn at(&self, now: DateTime<Utc>) -> Self {
        let (first, _) = outer_dates(now, 0);
        let Self { zones, doctors, rows, facility, any, .. } = self;
        let (zones, doctors, rows) = (zones.clone(), doctors.clone(), rows.clone());
        Self { now, first, zones, doctors, rows, facility: facility.clone(), any: *any }
    }

    pub fn keys(&self) -> (Keys<'_>, Keys<'_>) {
        (Keys(&self.zones), Keys(&self.doctors))
    }

    pub fn parameters<'a>(&'a self, zones: &'a Keys<'a>, doctors: &'a Keys<'a>) -> [&'a (dyn ToSql + Sync); 6] {
        [&self.now, &self.first, zones, doctors, &self.facility, &self.any]
    }

    /// The facility to which it is kept, as a ledger keeps its key.
    pub fn facility(&self) -> Option<&str> {
        self.facility.as_ref().map(Key::as_str)
    }
}
