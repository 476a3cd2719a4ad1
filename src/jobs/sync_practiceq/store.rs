//! Stores what was read: a batch is one statement, which says whose each appointment is and what became of it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};
use tracing::warn;
use uuid::Uuid;

use super::read::Reading;
use super::{End, Report};
use crate::clients::practiceq::{Appointment, NO_ID, Unreadable};
use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Id, NotDone, apply, count};

statements! {
    STORE(JSONB, TIMESTAMPTZ, UUID, INT8, INT8_ARRAY) = format!(
        include_str!("store.sql"),
        folded_name = folded("r.client_name"),
        folded_patient = folded("concat_ws(' ', p.first_name, p.last_name)"),
        told = TOLD,
        outbox = outbox::NOTIFIED
    );
}

/// A name without what makes no difference.
fn folded(text: &str) -> String {
    format!(include_str!("normalized_name.part.sql"), text = text)
}

pub(super) const TOLD: &str = include_str!("change_notices.part.sql");

/// In whose name and as of when rows are stored.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    pub now: &'a DateTime<Utc>,
    /// Nothing where a person stores it.
    pub run: &'a Option<Uuid>,
    /// The run's row in `sync_logs`.
    pub log: &'a Option<i64>,
    /// Only of these patients.
    pub only: &'a Option<Vec<i64>>,
}

impl Stored<'_> {
    async fn store(&self, tx: &Transaction<'_>, rows: &Value) -> Result<Row, Error> {
        STORE.one(tx, &[rows, self.now, self.run, self.log, self.only]).await
    }
}

/// Stores a row as it was kept for a person to decide; how many visits are in a chart now.
pub async fn store_one(tx: &Transaction<'_>, stored: Stored<'_>, row: &Value) -> Result<u64, Error> {
    let row = stored.store(tx, &json!([row])).await?;
    Ok(["new", "updated", "unchanged"].iter().map(|column| count(&row, column)).sum())
}

/// An appointment by its id.
#[derive(Clone, Copy)]
struct Read<'a>(&'a Appointment);

impl PartialEq for Read<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.external_id == other.0.external_id
    }
}

impl fmt::Display for Read<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.external_id)
    }
}

impl Serialize for Read<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.external_id)
    }
}

impl Id for Read<'_> {
    fn named(batch: &[Self], row: &Row, column: &str) -> Vec<Self> {
        let ids: Vec<&str> = row.get(column);
        batch.iter().copied().filter(|read| ids.contains(&read.0.external_id.as_str())).collect()
    }
}

impl Reading<'_> {
    /// Stores rows of the account, each of which is there once.
    pub(super) async fn store(&mut self, rows: &[Value], asked_at: DateTime<Utc>) -> Result<(), End> {
        let fresh = self.fresh(rows, asked_at).await?;
        let only = (self.job.patient.is_some() || self.job.organization.is_some()).then(|| self.scope.patients.clone());
        let (run, id, log) = (self.run, Some(self.run.id), self.log);
        let stored = Stored { now: &run.now, run: &id, log: &log, only: &only };
        let ids: Vec<Read<'_>> = fresh.iter().map(Read).collect();
        let mut not_done = NotDone::default();
        let report = &mut *self.report;
        report.scanned += ids.len() as u64;
        let statement = async |tx: &Transaction<'_>, ids: &[Read<'_>]| {
            let rows: Vec<&Appointment> = ids.iter().map(|read| read.0).collect();
            stored.store(tx, &json!(rows)).await
        };
        let batch = Batch { entity: "appointment", ids: &ids };
        let (mut skipped, mut strays) = (NotDone::default(), vec![]);
        let tally = |row: &Row| {
            report.tally(row, &mut skipped);
            strays.extend(row.get::<_, Vec<i64>>("strays"));
        };
        let outcome = apply(run, batch, &mut not_done, statement, tally).await;
        report.total_appointments.errors += not_done.failed;
        report.not_done.merge(not_done);
        report.not_done.merge(skipped);
        self.strays.push((asked_at, strays));
        Ok(outcome?)
    }

    /// The rows that can be read, and that this run has not read already.
    async fn fresh(&mut self, rows: &[Value], asked_at: DateTime<Utc>) -> Result<Vec<Appointment>, End> {
        let mut fresh: Vec<Appointment> = vec![];
        for row in rows {
            let read = match Appointment::read(row, asked_at) {
                Ok(read) => read,
                // Once a run; those without an id cannot be told apart. What cannot be read is not missing.
                Err(Unreadable { id, .. }) if id != NO_ID && self.seen.contains_key(&id) => continue,
                Err(unreadable) => {
                    self.seen.insert(unreadable.id.clone(), Default::default());
                    let error = Error::new("ROW_UNREADABLE", ErrorKind::Data, unreadable.why);
                    self.report.scanned += 1;
                    self.report.total_appointments.errors += 1;
                    let ids = [unreadable.id];
                    self.run.items_failed(&mut self.report.not_done, "appointment", &ids, &error).await?;
                    continue;
                }
            };
            if !read.status_known {
                warn!(run_id = %self.run.id, "appointment {}: its Status is unknown; taken for SCHEDULED", read.external_id);
            }
            self.plan.modified = self.plan.modified.max(read.modified_at);
            let content = (read.hash.clone(), read.client_id.clone());
            if self.seen.get(&read.external_id) != Some(&content) {
                self.seen.insert(read.external_id.clone(), content);
                fresh.retain(|earlier| earlier.external_id != read.external_id);
                fresh.push(read);
            }
        }
        Ok(fresh)
    }
}

impl Report {
    fn tally(&mut self, row: &Row, skipped: &mut NotDone) {
        let total = &mut self.total_appointments;
        total.new += count(row, "new");
        total.updated += count(row, "updated");
        total.unchanged += count(row, "unchanged");
        self.unmatched += count(row, "unmatched");
        self.notifications += count(row, "notifications");
        for reason in ["unchanged", "unmatched", "ignored", "out_of_scope", "other_patient", "older"] {
            skipped.skip(reason, count(row, reason));
        }
        for practitioner in row.get::<_, Vec<String>>("practitioners") {
            if self.practitioners.insert(practitioner.clone()) {
                warn!("practitioner {practitioner} is not known: add a row to provider_intakeq_settings");
            }
        }
        self.unknown_practitioners = self.practitioners.len() as u64;
    }
}
