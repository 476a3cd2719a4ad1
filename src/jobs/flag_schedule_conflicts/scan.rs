//! What a run finds.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::admins::UNLISTED;
use super::flags::{self, Ended};
use super::report::{OnlyCounted, Visit};
use super::rule::{Scope, awaited};
use crate::clinic::words::{clock, moment};
use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::{Run, count};

statements! {
    SCAN(TIMESTAMPTZ, DATE, KEYS, KEYS, KEY, BOOL, INT8) = format!(
        include_str!("scan.sql"),
        awaited = awaited(),
        clock = clock("f.start_time"),
        moment = moment("f.day + f.start_time"),
    );
}

/// Looks for the visits that do not fit, and for the flags that no longer hold.
pub async fn scan(scope: &Scope, run: &Run, tx: &Transaction<'_>) -> Result<Found, Error> {
    let limit = run.scan_limit();
    let (zones, doctors) = scope.keys();
    let [now, first, zones, doctors, facility, any] = scope.parameters(&zones, &doctors);
    let rows = SCAN.all(tx, &[now, first, zones, doctors, facility, any, &limit]).await?;
    let mut found = Found::default();
    for row in &rows {
        match row.get::<_, &str>("class") {
            "DUE" => found.due.push(Visit::from(row)),
            "UNREADABLE" => found.unreadable.push(row.get("id")),
            "NO_SLOT_LENGTH" => found.doctors.push(row.get("doctor_id")),
            class => found.counted.entry(row.get("facility_id")).or_default().add(class, count(row, "visits")),
        }
    }
    found.doctors.sort_unstable();
    found.doctors.dedup();
    found.unlisted = UNLISTED.all(tx, &[&scope.facility()]).await?.iter().map(Visit::from).collect();
    found.ended = flags::ended(scope, tx, limit).await?;
    Ok(found)
}

/// What a run finds.
#[derive(Default)]
pub struct Found {
    /// Visits that are due.
    pub due: Vec<Visit>,
    /// Visits whose start cannot be read.
    pub unreadable: Vec<Key>,
    /// Doctors without a slot length, on which it depends whether a visit fits.
    pub doctors: Vec<Key>,
    /// Flags that no longer hold.
    pub ended: Vec<Ended>,
    /// Flags of a run that died before it told the admins.
    pub unlisted: Vec<Visit>,
    /// The visits that are only counted, by facility.
    pub counted: BTreeMap<Key, OnlyCounted>,
}

impl Found {
    /// The visits that are only counted.
    pub fn only_counted(&self) -> OnlyCounted {
        let mut sum = OnlyCounted::default();
        for one in self.counted.values() {
            sum.made_after_change += one.made_after_change;
            sum.without_schedule += one.without_schedule;
            sum.undated += one.undated;
        }
        sum
    }
}
