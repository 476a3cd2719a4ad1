//! The lists that a run has done with, and what that says of its patients.

use super::lane::Lane;
use super::log::Patients;
use super::plan::{LastSweep, Plan};
use super::report::Report;
use super::scope::Scope;
use crate::db::Key;

#[derive(Default)]
pub struct Done {
    /// Patients whose own list was read.
    pub patients: Vec<Key>,
    /// Patients whose own list could not be read.
    unanswered: Vec<Key>,
    /// Patients of whom a client could not be searched for.
    partly: Vec<Key>,
    /// The window, if it was read to its end.
    pub window: Option<WindowRead>,
    /// The length of the longest page of them.
    pub longest_page: usize,
}

/// What was read of the window.
#[derive(Clone, Copy)]
pub struct WindowRead {
    pub pages: u32,
    pub rows: usize,
}

impl Done {
    /// Adds a patient whose list could not be read; returns whether it is the first of the patient's.
    pub fn add_unanswered(&mut self, patient: &Key) -> bool {
        let is_first = !self.unanswered.contains(patient);
        if is_first {
            self.unanswered.push(patient.clone());
        }
        is_first
    }

    /// Adds a patient of whom a client could not be searched for.
    pub fn add_partly(&mut self, patient: &Key) {
        if !self.partly.contains(patient) {
            self.partly.push(patient.clone());
        }
    }

    /// Patients of whom not everything was read.
    pub fn failed(&self) -> Vec<Key> {
        [&self.unanswered[..], &self.partly[..]].concat()
    }

    /// What the next runs are to know of this one, if it is a sweep.
    pub fn last_sweep(&self) -> LastSweep {
        let (pages, rows) = self.window.map(|window| (window.pages, window.rows)).unzip();
        LastSweep { pages, rows, page_rows: self.longest_page }
    }

    /// Counts the patients of a run.
    pub fn count(&self, report: &mut Report, scope: &Scope, plan: &Plan, is_complete: bool) {
        let unread = (scope.unknown.len() + self.unanswered.len()) as u64;
        // Of patients who are read one by one it is known who is left. Of others nobody is read before all are.
        let by_patient = plan.queries.iter().filter(|query| query.is_of_patient()).count() as u64;
        let left = match by_patient {
            0 if !is_complete => report.total_patients,
            left => left,
        };
        report.patients_failed = unread + self.partly.len() as u64;
        report.patients_skipped = scope.skipped.len() as u64;
        report.patients_processed = report.total_patients.saturating_sub(unread + left + report.patients_skipped);
    }

    pub fn patients(&self, scope: &Scope, plan: &Plan, is_complete: bool) -> Patients {
        let is_read_by_window = self.window.is_some();
        let read = match plan.lane {
            Lane::Full | Lane::Incremental => (!is_complete).then(Vec::new),
            Lane::Organization(_) if is_complete && is_read_by_window => Some(scope.patients.clone()),
            Lane::Patient(_) | Lane::Organization(_) | Lane::Appointment(_) | Lane::Inbox => {
                Some(self.patients.clone())
            }
        };
        let unread = [&scope.unknown[..], &scope.skipped[..], &self.failed()[..]].concat();
        Patients { read, unread, fresh_since: plan.began }
    }
}
