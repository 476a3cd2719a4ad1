//! The visits that the rows of a ledger are about, for the commands that list such rows.
//!
//! Rule: a row is listed if and only if its visit fits the filter; without a filter also if its visit is deleted.
//!
//! A ledger names a visit by text, and only a parameter can find a visit by text. So a page of the ledger is read, then
//! the visits of that page.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Transaction;

use crate::clinic::visits;
use crate::db::{Key, Keys, Row, statements};
use crate::error::Error;
use crate::ops::places::Places;

statements! {
    VISITS(KEYS, KEY, KEY, DATE, DATE) = include_str!("visits.sql");
}

/// The number of rows that are read together.
const PAGE: i64 = 1000;

/// The visits that are looked at. The days are those of the facility.
#[derive(Default)]
pub struct VisitFilter<'a> {
    pub facility: Option<&'a Key>,
    pub doctor: Option<&'a Key>,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// What a list shows of a visit. All is None of a deleted one.
#[derive(Clone, Default)]
pub struct Visit {
    pub facility: Option<Key>,
    pub doctor: Option<Key>,
    pub patient: Option<Key>,
}

/// A row of a ledger, and its visit.
pub struct Entry {
    pub row: Row,
    pub visit: Visit,
}

/// What the lists call the places of these visits.
pub async fn places(tx: &Transaction<'_>, entries: &[Entry]) -> Result<Places, Error> {
    let facilities = entries.iter().filter_map(|entry| entry.visit.facility.as_ref());
    let doctors = entries.iter().filter_map(|entry| entry.visit.doctor.as_ref());
    Places::read(tx, facilities, doctors).await
}

impl VisitFilter<'_> {
    fn is_empty(&self) -> bool {
        self.facility.is_none() && self.doctor.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The newest rows that fit, at most `limit`. `read` returns the newest rows with a smaller `id` than the first
    /// number, at most as many as the second; a row has `id`, a number, and `appointment_id`.
    pub async fn newest(
        &self,
        tx: &Transaction<'_>,
        limit: i64,
        read: impl AsyncFn(i64, i64) -> Result<Vec<Row>, Error>,
    ) -> Result<Vec<Entry>, Error> {
        let size = if self.is_empty() { limit.min(PAGE) } else { PAGE };
        let (mut entries, mut before) = (vec![], i64::MAX);
        while (entries.len() as i64) < limit {
            let page = read(before, size).await?;
            let Some(last) = page.last() else { break };
            before = last.get("id");
            let is_last = (page.len() as i64) < size;
            let visits = self.visits(tx, &page).await?;
            entries.extend(page.into_iter().filter_map(|row| {
                let visit = visits.get(row.get::<_, &str>("appointment_id")).cloned();
                let visit = visit.or_else(|| self.is_empty().then(Visit::default))?;
                Some(Entry { row, visit })
            }));
            if is_last {
                break;
            }
        }
        entries.truncate(limit as usize);
        Ok(entries)
    }

    /// The visits of the rows that fit, by their ids.
    async fn visits(&self, tx: &Transaction<'_>, page: &[Row]) -> Result<HashMap<String, Visit>, Error> {
        let ids: Vec<Key> = page.iter().map(|row| row.get("appointment_id")).collect();
        let read =
            async |ids: &[Key]| VISITS.all(tx, &[&Keys(ids), &self.facility, &self.doctor, &self.from, &self.to]).await;
        let rows = visits::read_by(tx, &ids, read).await?;
        let visit = |row: &Row| {
            let [facility, doctor, patient] = ["facility_id", "doctor_id", "patient_id"].map(|column| row.get(column));
            (row.get("id"), Visit { facility, doctor, patient })
        };
        Ok(rows.iter().map(visit).collect())
    }
}
