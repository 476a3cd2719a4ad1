//! The report of a run, and the list of errors in its row of `sync_logs`.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};

use super::inbox::Events;
use crate::error::Error;
use crate::run::{Batch, Counts, Halt, NotDone, Run};

/// How many errors `sync_logs.metadata` lists.
const ERRORS_LISTED: usize = 10;

/// scanned = new + updated + deleted + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The row of `sync_logs`.
    pub sync_log_id: Option<i64>,
    /// Patients in the scope of the run, each once.
    pub total_patients: u64,
    /// The patients whose visits were looked at.
    pub patients_processed: u64,
    /// The patients of whom something failed.
    pub patients_failed: u64,
    /// Patients whom nobody can look for, as a person has said.
    pub patients_skipped: u64,
    /// The visits by what became of them.
    pub total_appointments: Appointments,
    /// The visits that the account has no more.
    pub deleted: u64,
    /// Queued for a person to decide.
    pub unmatched: u64,
    /// Whether the run stopped before it had read everything.
    #[serde(skip)]
    pub stopped: bool,
    /// Practitioners whose doctor is not known; their visits have none. With any of them the log says `partial_success`.
    pub unknown_practitioners: u64,
    /// The messages that were staged.
    pub notifications: u64,
    /// The pages of the account that were read.
    pub pages: u64,
    /// The requests that were sent.
    pub requests: u64,
    /// Of a run of the inbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// New, updated, deleted, skipped and failed.
    pub scanned: u64,
    /// The reasons: `unchanged`; `unmatched`, queued for a person, and `ignored`, as a person decided; `out_of_scope`,
    /// of patients without an active affiliation; `other_patient`, not asked for; `older` than what is stored;
    /// `no_zone`, at a facility whose time zone cannot be read.
    #[serde(flatten)]
    pub not_done: NotDone,
    #[serde(skip)]
    pub practitioners: BTreeSet<String>,
    /// The first failed items, as the log lists them.
    #[serde(skip)]
    failed_items: Vec<Value>,
}

#[derive(Debug, Default, Serialize)]
pub struct Appointments {
    /// They were stored.
    pub new: u64,
    /// They were changed.
    pub updated: u64,
    /// They were as they are stored.
    pub unchanged: u64,
    /// They could not be read or stored.
    pub errors: u64,
}

/// The reason for which an item failed, as the log tells it.
#[derive(Clone, Copy)]
pub enum Problem {
    NoEmail,
    NotFetched,
    Unreadable,
    NotStored,
}

impl Problem {
    /// As dashboards know it.
    fn message(self) -> &'static str {
        match self {
            Self::NoEmail => "Patient has no email",
            Self::NotFetched => "Failed to fetch from PracticeQ",
            Self::Unreadable => "Appointment could not be read",
            Self::NotStored => "Appointment could not be stored",
        }
    }
}

impl Report {
    /// Records items that could not be done, and why; the run goes on.
    pub async fn items_failed<I: Display + Serialize>(
        &mut self,
        run: &Run,
        problem: Problem,
        items: Batch<'_, I>,
        error: &Error,
    ) -> Result<(), Halt> {
        let Batch { entity, ids, .. } = items;
        self.scanned += ids.len() as u64;
        for id in ids {
            self.list(problem, entity, json!(id), &error.code);
        }
        run.items_failed(&mut self.not_done, entity, ids, error).await
    }

    /// Adds the items of a batch that were not stored.
    pub fn add_not_stored(&mut self, not_done: NotDone) {
        for error in &not_done.errors {
            self.list(Problem::NotStored, error.entity, error.id.clone(), &error.code);
        }
        self.not_done.merge(not_done);
    }

    /// Counts the page at which the run stopped.
    pub fn stop(&mut self, page: u32, code: &'static str) {
        self.scanned += 1;
        self.list(Problem::NotFetched, "page", json!(page), code);
        self.not_done.fail("page", page, code);
        self.stopped = true;
    }

    fn list(&mut self, problem: Problem, entity: &str, id: Value, code: &str) {
        if self.failed_items.len() < ERRORS_LISTED {
            let item = json!({ "message": problem.message(), "entity": entity, "id": id, "code": code });
            self.failed_items.push(item);
        }
    }

    /// Whether something failed and nothing succeeded.
    pub fn is_all_failed(&self) -> bool {
        let stored = &self.total_appointments;
        let done = self.patients_processed + stored.new + stored.updated + stored.unchanged + self.deleted;
        self.not_done.failed > 0 && done == 0
    }

    /// `sync_logs.metadata`: ids, counts and codes.
    pub fn metadata(&self) -> Value {
        let practitioners = self.practitioners.iter().map(|id| {
            let (message, code) = ("Unknown practitioner", "UNKNOWN_PRACTITIONER");
            json!({ "message": message, "entity": "practitioner", "id": id, "code": code })
        });
        let errors: Vec<Value> = self.failed_items.iter().cloned().chain(practitioners).take(ERRORS_LISTED).collect();
        json!({
            "errors": errors,
            "requests": self.requests,
            "pages": self.pages,
            "deleted": self.deleted,
            "unmatched": self.unmatched,
            "patients_skipped": self.patients_skipped,
        })
    }
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        let Appointments { new, updated, .. } = self.total_appointments;
        Counts { scanned: self.scanned, processed: new + updated + self.deleted, not_done: &self.not_done }
    }

    fn notifications(&self) -> Option<u64> {
        Some(self.notifications)
    }

    fn sentence(&self) -> Option<String> {
        let Appointments { new, updated, unchanged, .. } = self.total_appointments;
        if self.stopped {
            return Some(format!("Stopped early. New: {new} | Updated: {updated} | Unchanged: {unchanged}"));
        }
        if let Some(Events { done, waiting }) = self.events {
            let stored = format!("New: {new} | Updated: {updated} | Unchanged: {unchanged}");
            return Some(format!("Events done: {done} | Waiting: {waiting}. {stored}"));
        }
        let patients = self.patients_processed;
        Some(format!(
            "Successfully synced {patients} patients. New: {new} | Updated: {updated} | Unchanged: {unchanged}"
        ))
    }
}
