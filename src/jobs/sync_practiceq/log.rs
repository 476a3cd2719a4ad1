//! The run's row in `sync_logs`, and everything that is settled with it: how far the reading is, since when patients are fresh,
//! who has to be told.

use serde_json::{Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;

use super::read::Reading;
use super::{End, Report, SyncPracticeq};
use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::clinic::outbox;
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Run, WriteOptions, lost};

statements! {
    OPEN(TEXT, INT8, INT8, INT8, UUID) = format!(include_str!("open.sql"), lost = lost("r", "r.lease_ms"));
    CLOSE(
        INT8, TEXT, TEXT, INT8, INT8, INT8, INT8, INT8, INT8, JSONB, INT8_ARRAY, INT8_ARRAY, TIMESTAMPTZ, TEXT, BOOL,
    ) = include_str!("close.sql");
    NOTIFY_PATIENTS_FAILED(INT8, TIMESTAMPTZ, UUID, INT8) =
        format!(include_str!("notify_patients_failed.sql"), zone = ACCOUNT_ZONE, outbox = outbox::NOTIFIED);
    SAVE_SWEEP(TIMESTAMPTZ, INT8, INT4) = "UPDATE practiceq_state
        SET watermark = greatest(watermark, $1), sweep = coalesce($2, sweep), sweep_pages = coalesce($3, sweep_pages)";
}

/// The admins are told of more than so many.
const PATIENTS_FAILED: u64 = 5;
const CLOSING: &str = "closing the log of the sync";
const ERRORS_LISTED: usize = 10;

/// Opens it, and closes what dead runs left open. A dry run leaves none.
pub async fn open(job: &SyncPracticeq, run: &Run) -> Result<Option<i64>, Halt> {
    let sync_type = match job.organization {
        Some(_) => "manual_org_bulk",
        None if job.is_by_hand() => "manual_patient",
        None if job.incremental => "automated_incremental",
        None => "automated_daily",
    };
    let open = async |tx: &Transaction<'_>| {
        let row = OPEN.one(tx, &[&sync_type, &job.organization, &job.patient, &run.actor(), &run.id]).await?;
        Ok(row.get(0))
    };
    let id = run.write("opening the log of the sync", WriteOptions::default(), open).await?;
    Ok((!run.dry_run()).then_some(id))
}

/// How a run ended.
struct Ending {
    status: &'static str,
    error: Option<String>,
    /// Whether the next run goes on where this one was.
    go_on: bool,
    result: Result<(), Halt>,
}

impl Reading<'_> {
    /// Says how it went, and gives it back.
    pub async fn close(mut self, outcome: Result<(), End>) -> Result<(), Halt> {
        let complete = outcome.is_ok();
        if let Err(End::Stop { code, message }) = &outcome
            && self.heard > 0
        {
            warn!(run_id = %self.run.id, error_code = code, page = self.plan.page, "stopped: {message}; the next run goes on there");
            self.report.scanned += 1;
            self.report.not_done.fail("page", self.plan.page, code);
            self.report.stopped = true;
        }
        self.count_patients(complete);
        let ending = self.ending(outcome);
        let close = async |tx: &Transaction<'_>| {
            self.settle(tx, complete).await?;
            self.plan.save(tx, &self.lane, self.run.id, ending.go_on).await?;
            self.write(tx, &ending, complete).await
        };
        let closed = self.run.write(CLOSING, WriteOptions { after_stop: true, ..Default::default() }, close).await;
        let Err(Halt::Failed(error)) = closed else { return closed.and(ending.result) };
        // Then nothing is settled; but the log does not stay open.
        let status = if self.heard > 0 { "partial_success" } else { "failed" };
        let told = Some(error.to_string());
        let ending = Ending { status, error: told, go_on: false, result: ending.result };
        let alone = self
            .run
            .write(CLOSING, WriteOptions { after_stop: true, ..Default::default() }, async |tx: &Transaction<'_>| {
                self.write(tx, &ending, false).await
            })
            .await;
        if let Err(halt) = alone {
            warn!(run_id = %self.run.id, error_code = halt.code(), "the log of the sync stays open: {}", halt.message());
        }
        ending.result.and(Err(error.into()))
    }

    fn count_patients(&mut self, complete: bool) {
        let report = &mut *self.report;
        let failed = (self.scope.unknown.len() + self.unread.len()) as u64;
        // By patient, those that were read are known; else nothing can be said of one without the others.
        let by_patient = self.plan.queries.iter().filter(|query| query.patient().is_some()).count() as u64;
        let left = match by_patient {
            0 if !complete => report.total_patients,
            left => left,
        };
        report.patients_failed = failed;
        report.patients_processed = report.total_patients.saturating_sub(failed + left);
    }

    fn ending(&self, outcome: Result<(), End>) -> Ending {
        let report = &self.report;
        let heard = self.heard > 0;
        let (error, go_on, mut result) = match outcome {
            Ok(()) => (None, false, Ok(())),
            Err(End::Stop { code, message }) => {
                let error = Error::new(code, ErrorKind::Other, message.clone());
                (
                    Some(format!("{message} [{code}]")),
                    heard || self.plan.resumed,
                    if heard { Ok(()) } else { Err(error.into()) },
                )
            }
            Err(End::Halt(halt)) => {
                let begin_anew = matches!(halt, Halt::Brake { .. }) || halt.code() == "PRACTICEQ_PAGES";
                let go_on = !begin_anew && (heard || self.plan.resumed);
                (Some(format!("{} [{}]", halt.message(), halt.code())), go_on, Err(halt))
            }
        };
        if result.is_ok() && error.is_none() && report.is_all_failed() {
            let message = "everything that was to be synced failed; rounds runs show lists it";
            result = Err(Error::new("ALL_FAILED", ErrorKind::Other, message).into());
        }
        let status = match &result {
            Ok(()) if report.not_done.failed == 0 => "completed",
            Ok(()) => "partial_success",
            Err(halt) if heard && halt.code() != "ALL_FAILED" => "partial_success",
            Err(_) => "failed",
        };
        let error = error.or_else(|| result.as_ref().err().map(|halt| format!("{} [{}]", halt.message(), halt.code())));
        Ending { status, error, go_on, result }
    }

    /// What is known now that everything was read.
    async fn settle(&self, tx: &Transaction<'_>, complete: bool) -> Result<(), Error> {
        if !complete || !matches!(self.lane.as_str(), "full" | "incremental") {
            return Ok(());
        }
        let sweep = self.log.filter(|_| self.is_sweep());
        let pages = i32::try_from(self.sweep_pages).ok().filter(|_| sweep.is_some());
        SAVE_SWEEP.execute(tx, &[&self.plan.modified, &sweep, &pages]).await?;
        Ok(())
    }

    async fn write(&self, tx: &Transaction<'_>, ending: &Ending, complete: bool) -> Result<(), Error> {
        let report = &self.report;
        let counts = [
            report.total_appointments.new,
            report.total_appointments.updated,
            report.total_appointments.unchanged,
            report.total_appointments.errors,
            report.patients_processed,
            report.patients_failed,
        ]
        .map(|count| count as i64);
        let failed = [&self.scope.unknown[..], &self.unread[..]].concat();
        let (read, metadata) = (self.patients_read(complete), report.metadata());
        let all = self.lane != "incremental";
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.log, &ending.status, &ending.error];
        parameters.extend(counts.iter().map(|count| count as &(dyn ToSql + Sync)));
        let rest: [&(dyn ToSql + Sync); 6] = [&metadata, &read, &failed, &self.plan.began, &self.job.appointment, &all];
        parameters.extend(rest);
        CLOSE.execute(tx, &parameters).await?;
        if report.patients_failed > PATIENTS_FAILED {
            let failed = report.patients_failed as i64;
            NOTIFY_PATIENTS_FAILED.one(tx, &[&failed, &self.run.now, &self.run.id, &self.log]).await?;
        }
        Ok(())
    }

    /// The patients all of whose visits were read; nothing where that is everybody.
    fn patients_read(&self, complete: bool) -> Option<Vec<i64>> {
        match self.lane.as_str() {
            "full" | "incremental" => (!complete).then(Vec::new),
            _ if complete && self.is_by_window() => Some(self.scope.patients.clone()),
            _ => Some(self.done.clone()),
        }
    }

    /// Whether an organization is read as a part of all.
    fn is_by_window(&self) -> bool {
        self.job.organization.is_some() && self.sweep_pages > 0
    }
}

impl Report {
    /// Whether something failed and nothing did not.
    fn is_all_failed(&self) -> bool {
        let stored = &self.total_appointments;
        let done = self.patients_processed + stored.new + stored.updated + stored.unchanged + self.deleted;
        self.not_done.failed > 0 && done == 0
    }

    /// For the log: ids, counts and codes.
    fn metadata(&self) -> Value {
        let failed = self.not_done.errors.iter().map(|error| {
            let message = match (error.entity, error.code.as_str()) {
                ("patient", "NO_EMAIL") => "Patient has no email",
                ("patient" | "page", _) | (_, "PRACTICEQ_HTTP" | "RATE_LIMITED" | "BUDGET" | "TIME") => {
                    "Failed to fetch from PracticeQ"
                }
                (_, "ROW_UNREADABLE") => "Appointment could not be read",
                _ => "Appointment could not be stored",
            };
            json!({ "message": message, "entity": error.entity, "id": error.id, "code": error.code })
        });
        let practitioners = self.practitioners.iter().map(|id| {
            json!({ "message": "Unknown practitioner", "entity": "practitioner", "id": id, "code": "UNKNOWN_PRACTITIONER" })
        });
        let errors: Vec<Value> = failed.chain(practitioners).take(ERRORS_LISTED).collect();
        json!({ "errors": errors, "requests": self.requests, "pages": self.pages, "deleted": self.deleted, "unmatched": self.unmatched })
    }
}
