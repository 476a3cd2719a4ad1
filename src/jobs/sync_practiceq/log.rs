//! The run's row in `sync_logs`. With its closing it is noted since when the visits of patients are fresh, and the
//! admins are told where many patients failed.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::lane::Lane;
use super::outcome::Outcome;
use super::report::Report;
use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::clinic::channels::as_preferred;
use crate::clinic::outbox;
use crate::db::{Key, Keys, statements};
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions, has_passed, loss_reason};

statements! {
    OPEN(TEXT, KEY, TEXT, KEY, UUID) = format!(include_str!("open.sql"), loss_reason = loss_reason("r", "r.lease_ms"));
    CLOSE(
        INT8, TEXT, TEXT, INT8, INT8, INT8, INT8, INT8, INT8, JSONB, KEYS, KEYS, TIMESTAMPTZ, TEXT, BOOL, INT8,
    ) = format!(include_str!("close.sql"), has_passed = has_passed("f.fresh_since"));
    NOTIFY_PATIENTS_FAILED(INT8, TIMESTAMPTZ, UUID, INT8) =
        format!(include_str!("notify_patients_failed.sql"), zone = ACCOUNT_ZONE, channels = as_preferred("'HIGH'"), outbox = outbox::notified());
}

/// With more failed patients than these the admins are told.
const PATIENTS_FAILED_MAX: u64 = 5;

pub struct Log<'a> {
    run: &'a Run,
    lane: Lane,
    /// None in a dry run.
    pub id: Option<i64>,
}

/// The patients of a run by what became of their visits.
pub struct Patients {
    /// All visits were read; None is all patients.
    pub read: Option<Vec<Key>>,
    /// Not all were, or none.
    pub unread: Vec<Key>,
    /// The instant from which on the visits that were read are fresh.
    pub fresh_since: DateTime<Utc>,
}

/// `sync_logs.sync_type`.
fn sync_type(lane: &Lane) -> &'static str {
    match lane {
        Lane::Full => "automated_daily",
        Lane::Incremental => "automated_incremental",
        Lane::Organization(_) => "manual_org_bulk",
        Lane::Patient(_) | Lane::Appointment(_) => "manual_patient",
        Lane::Inbox => "webhook",
    }
}

impl<'a> Log<'a> {
    /// Opens the row, and closes the rows of runs that died.
    pub async fn open(run: &'a Run, lane: &Lane) -> Result<Self, Halt> {
        let (sync_type, organization, patient) = (sync_type(lane), lane.organization(), lane.patient());
        let open = async |tx: &Transaction<'_>| {
            let row = OPEN.one(tx, &[&sync_type, &organization, &patient, &run.actor(), &run.id]).await?;
            Ok(row.get(0))
        };
        let id = run.write("opening the log of the sync", WriteOptions::default(), open).await?;
        Ok(Self { run, lane: lane.clone(), id: (!run.dry_run()).then_some(id) })
    }

    pub async fn close(
        &self,
        tx: &Transaction<'_>,
        outcome: &Outcome,
        report: &Report,
        patients: &Patients,
    ) -> Result<(), Error> {
        let status = outcome.status.as_str();
        let counts = [
            report.total_appointments.new,
            report.total_appointments.updated,
            report.total_appointments.unchanged,
            report.total_appointments.errors,
            report.patients_processed,
            report.patients_failed,
        ]
        .map(|count| count as i64);
        let metadata = report.metadata();
        let appointment = self.lane.appointment();
        // An incremental run reads only the changes.
        let is_all_read = self.lane != Lane::Incremental;
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.id, &status, &outcome.error];
        parameters.extend(counts.iter().map(|count| count as &(dyn ToSql + Sync)));
        let (read, unread) = (patients.read.as_deref().map(Keys), Keys(&patients.unread));
        let practitioners = report.unknown_practitioners as i64;
        let rest: [&(dyn ToSql + Sync); 7] =
            [&metadata, &read, &unread, &patients.fresh_since, &appointment, &is_all_read, &practitioners];
        parameters.extend(rest);
        CLOSE.execute(tx, &parameters).await?;
        if report.patients_failed > PATIENTS_FAILED_MAX {
            let failed = report.patients_failed as i64;
            NOTIFY_PATIENTS_FAILED.one(tx, &[&failed, &self.run.now, &self.run.id, &self.id]).await?;
        }
        Ok(())
    }
}
