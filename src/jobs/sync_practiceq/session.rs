//! One run of the sync, step by step: reads the lists of its plan page by page, and stores each page before it asks for
//! the next; marks visits as deleted; closes the log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tracing::warn;

use super::deletions::{Coverage, Deletions, Part};
use super::end::{End, Stop, StopReason};
use super::fetch::{FetchError, Fetched, Fetcher};
use super::lane::Lane;
use super::log::{Log, Patients};
use super::outcome::{Outcome, Status};
use super::pages::{Next, Pages};
use super::plan::{LastSweep, Plan};
use super::progress::Progress;
use super::query::{Query, WindowDays};
use super::rate_limit::RateLimits;
use super::report::{Problem, Report};
use super::scope::Scope;
use super::store::Store;
use crate::clients::practiceq::PracticeQ;
use crate::clinic::actor::refused;
use crate::db::Key;
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Halt, Run, WriteOptions};

/// After so many patients in a row who were not answered, the server is taken to be down.
const UNANSWERED_IN_A_ROW_MAX: u32 = 2;
const CLOSING: &str = "closing the log of the sync";

/// The task of a run.
pub struct Task<'a> {
    pub lane: Lane,
    pub window_days: WindowDays,
    pub api: PracticeQ,
    pub limits: &'a RateLimits,
    /// What starts before it is queued for nobody.
    pub queued_from: DateTime<Utc>,
}

pub struct Session<'a> {
    run: &'a Run,
    report: &'a mut Report,
    scope: Scope,
    plan: Plan,
    log: Log<'a>,
    fetcher: Fetcher<'a>,
    store: Store<'a>,
    deletions: Deletions<'a>,
    done: Done,
}

/// The lists that the run has done with.
#[derive(Default)]
struct Done {
    /// Patients whose own list was read.
    patients: Vec<Key>,
    /// Patients whose own list could not be read.
    unanswered: Vec<Key>,
    /// The window, if it was read to its end.
    window: Option<WindowRead>,
    /// The length of the longest page of them.
    longest_page: usize,
}

/// What was read of the window.
#[derive(Clone, Copy)]
struct WindowRead {
    pages: u32,
    rows: usize,
}

impl<'a> Session<'a> {
    /// Refuses a task that is not allowed, and opens the log.
    pub async fn open(run: &'a Run, task: Task<'a>, report: &'a mut Report) -> Result<Self, Halt> {
        let Task { lane, window_days, api, limits, queued_from } = task;
        let look = async |tx: &Transaction<'_>| {
            let mut lane = lane.clone();
            let scope = Scope::find(tx, &mut lane, run.actor()).await?;
            let plan = Plan::load(tx, &lane, window_days, run.now, &scope).await?;
            Ok((scope, plan))
        };
        let (scope, plan) = run.read("looking for patients in scope", look).await?;
        let log = Log::open(run, &plan.lane).await?;
        report.sync_log_id = log.id;
        report.total_patients = scope.patients.len() as u64;
        let progress = Progress::new(plan.expected_pages());
        Ok(Self {
            run,
            report,
            fetcher: Fetcher::new(run, api, limits, lane.is_by_hand(), progress),
            store: Store::new(run, log.id, &plan.lane, &scope, queued_from),
            deletions: Deletions::new(run, log.id, plan.window.interior(), scope.zoneless.clone()),
            scope,
            plan,
            log,
            done: Done::default(),
        })
    }

    pub async fn run(mut self) -> Result<(), Halt> {
        let read = self.read().await;
        self.close(read).await
    }

    async fn read(&mut self) -> Result<(), End> {
        let no_email = Error::new("NO_EMAIL", ErrorKind::Data, "has no e-mail, and no client of the account is known");
        let unknown = Batch { entity: "patient", part: "", ids: &self.scope.unknown[..] };
        self.report.items_failed(self.run, Problem::NoEmail, unknown, &no_email).await?;
        let outcome = match self.plan.lane.appointment().map(str::to_owned) {
            Some(id) => self.read_appointment(&id).await,
            None => self.read_lists().await,
        };
        match outcome {
            Ok(()) if self.plan.lane.appointment().is_none() => self.delete().await?,
            Ok(()) | Err(End::Stop(_)) => {}
            Err(End::StartOver(_) | End::Halt(_)) => return outcome,
        }
        self.deletions.remove_unowned(self.report).await?;
        outcome
    }

    async fn read_lists(&mut self) -> Result<(), End> {
        let mut unanswered_in_a_row = 0;
        while let Some(query) = self.plan.queries.first().cloned() {
            match (self.read_list(&query).await, query.patient().cloned()) {
                // A patient who is asked for alone can be left out.
                (Err(FetchError::Unanswered { purpose, error, .. }), Some(patient)) => {
                    self.done.unanswered.push(patient.clone());
                    let items = Batch { entity: "patient", part: "", ids: &[patient] };
                    let error = error.context(purpose);
                    self.report.items_failed(self.run, Problem::NotFetched, items, &error).await?;
                    unanswered_in_a_row += 1;
                }
                (outcome, patient) => {
                    outcome?;
                    self.done.patients.extend(patient);
                    unanswered_in_a_row = 0;
                }
            }
            self.plan.next_query();
            if unanswered_in_a_row == UNANSWERED_IN_A_ROW_MAX && !self.plan.queries.is_empty() {
                return Err(End::stop(StopReason::Unanswered, "several patients in a row could not be read"));
            }
        }
        Ok(())
    }

    /// Reads a list from the plan's page to its end.
    async fn read_list(&mut self, query: &Query) -> Result<(), FetchError> {
        let Some(filter) = query.filter(self.run).await? else { return Ok(()) };
        let mut pages = Pages::of(query, self.longest_page());
        loop {
            let page = self.plan.page;
            let fetched = self.fetcher.page(&filter, page, &query.purpose(page)).await;
            let Fetched { content: rows, asked_at } = self.count_requests(fetched)?;
            self.report.pages += 1;
            match query {
                Query::Deleted => self.deletions.add_listed(&rows, asked_at),
                _ => self.store(&rows, asked_at).await?,
            }
            self.fetcher.progress.page_read(self.report.pages, self.report.scanned);
            match pages.add(&rows) {
                Next::Page => self.plan.page += 1,
                Next::None => {
                    self.done.longest_page = self.done.longest_page.max(pages.longest());
                    if matches!(query, Query::Window { .. }) {
                        self.done.window = Some(WindowRead { pages: page, rows: pages.rows() });
                    }
                    return Ok(());
                }
                Next::Repeated => {
                    let message = format!("page {page} has nothing that was not on an earlier page, and is no last page");
                    return Err(End::StartOver(Error::new("PRACTICEQ_PAGES", ErrorKind::Other, message)).into());
                }
            }
        }
    }

    /// The length of the longest page that the account has sent lately: to this run, if it has read the window, else to
    /// the last sweep, too.
    fn longest_page(&self) -> usize {
        let earlier = if self.done.window.is_some() { 0 } else { self.plan.last_sweep.page_rows };
        self.done.longest_page.max(earlier)
    }

    async fn read_appointment(&mut self, id: &str) -> Result<(), End> {
        // An appointment that waits for a person's decision is forgotten if the account does not have it any more.
        let is_known = self.deletions.is_known(id).await?;
        if self.refresh(id, "appointment").await?.is_none() && !is_known {
            let message =
                format!("--appointment: PracticeQ has no appointment {id}, nor has the clinic; nothing was changed");
            return Err(refused("UNKNOWN_APPOINTMENT", message).into());
        }
        let stored = &self.report.total_appointments;
        self.report.total_patients = stored.new + stored.updated + stored.unchanged + self.report.deleted;
        Ok(())
    }

    /// Asks for one appointment, and stores it or marks it as deleted. Returns when the account was asked, if it has it.
    async fn refresh(&mut self, id: &str, purpose: &str) -> Result<Option<DateTime<Utc>>, End> {
        let fetched = self.fetcher.appointment(id, purpose).await;
        let Fetched { content, asked_at } = self.count_requests(fetched)?;
        let found_at = content.is_some().then_some(asked_at);
        match content {
            Some(row) => self.store(&[row], asked_at).await?,
            None => self.deletions.delete(&[id.to_owned()], asked_at, self.report).await?,
        }
        Ok(found_at)
    }

    /// The report has the number of requests also where the run is ended between two of them.
    fn count_requests<T>(&mut self, fetched: Result<T, FetchError>) -> Result<T, FetchError> {
        self.report.requests = self.fetcher.requests();
        fetched
    }

    async fn store(&mut self, rows: &[Value], asked_at: DateTime<Utc>) -> Result<(), Halt> {
        let stored = self.store.page(rows, asked_at, self.report).await?;
        self.plan.modified_at = self.plan.modified_at.max(stored.modified_at);
        self.deletions.add_unowned(stored.unowned, asked_at);
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), End> {
        let seen = self.store.seen.external_ids();
        let coverage = self.coverage(&seen);
        let doubtful = self.deletions.delete_listed(coverage.as_ref(), &seen, self.report).await?;
        for doubt in doubtful {
            match self.refresh(doubt.external_id.as_str(), doubt.purpose()).await {
                // All lists were read, so the run is complete: the next one asks for the rest.
                Err(End::Stop(stop)) => {
                    let items = Batch { entity: "appointment", part: "", ids: &[doubt.external_id] };
                    self.report.items_failed(self.run, Problem::NotFetched, items, &stop.error()).await?;
                    return Ok(());
                }
                Ok(Some(asked_at)) if doubt.is_listed => {
                    self.deletions.note_found(&doubt.external_id, asked_at).await?;
                }
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// The part of the account that was read from its first page to its last.
    fn coverage<'b>(&self, seen: &'b [&'b String]) -> Option<Coverage<'b>> {
        let part = match &self.plan.lane {
            Lane::Full if self.plan.is_sweep() => Part::Window,
            Lane::Patient(id) if !self.plan.is_resumed && self.done.unanswered.is_empty() => Part::Patient(id.clone()),
            _ => return None,
        };
        let shortfall = self.done.window.and_then(|window| self.plan.shortfall(window.rows));
        self.fetcher.began.map(|began| Coverage { part, began, seen, shortfall })
    }

    async fn close(mut self, read: Result<(), End>) -> Result<(), Halt> {
        let is_complete = read.is_ok();
        let is_answered = self.fetcher.is_answered();
        if let Err(End::Stop(stop)) = &read
            && is_answered
        {
            self.report_stop(stop);
        }
        self.count_patients(is_complete);
        let outcome = Outcome::of(read, is_answered, self.plan.is_resumed, self.report);
        let last_word = WriteOptions { after_stop: true, ..WriteOptions::default() };
        let patients = self.patients(is_complete);
        let close = async |tx: &Transaction<'_>| {
            if is_complete {
                self.plan.save_state(tx, self.log.id, self.last_sweep()).await?;
            }
            self.plan.save(tx, self.run.id, outcome.continues).await?;
            self.log.close(tx, &outcome, self.report, &patients).await
        };
        let closed = self.run.write(CLOSING, last_word, close).await;
        let Err(Halt::Failed(error)) = closed else { return closed.and(outcome.result) };
        // The state and the cursor stay as they were; but the log does not stay open.
        let status = Status::of_failure(is_answered);
        let outcome = Outcome { status, error: Some(error.to_string()), continues: false, result: outcome.result };
        let patients = self.patients(false);
        let close = async |tx: &Transaction<'_>| self.log.close(tx, &outcome, self.report, &patients).await;
        if let Err(halt) = self.run.write(CLOSING, last_word, close).await {
            let (code, message) = (halt.code(), halt.message());
            warn!(run_id = %self.run.id, error_code = code, "the log of the sync stays open: {message}");
        }
        outcome.result.and(Err(error.into()))
    }

    /// What the next runs are to know of this one, if it is a sweep.
    fn last_sweep(&self) -> LastSweep {
        let (pages, rows) = self.done.window.map(|window| (window.pages, window.rows)).unzip();
        LastSweep { pages, rows, page_rows: self.done.longest_page }
    }

    fn report_stop(&mut self, Stop { reason, message }: &Stop) {
        let (page, code) = (self.plan.page, reason.code());
        warn!(run_id = %self.run.id, error_code = code, page, "stopped: {message}; the next run goes on there");
        self.report.stop(page, code);
    }

    fn count_patients(&mut self, is_complete: bool) {
        let report = &mut *self.report;
        let failed = (self.scope.unknown.len() + self.done.unanswered.len()) as u64;
        // Of patients who are read one by one it is known who is left. Of others nobody is read before all are.
        let by_patient = self.plan.queries.iter().filter(|query| query.patient().is_some()).count() as u64;
        let left = match by_patient {
            0 if !is_complete => report.total_patients,
            left => left,
        };
        report.patients_failed = failed;
        report.patients_processed = report.total_patients.saturating_sub(failed + left);
    }

    fn patients(&self, is_complete: bool) -> Patients {
        let is_read_by_window = self.done.window.is_some();
        let read = match self.plan.lane {
            Lane::Full | Lane::Incremental => (!is_complete).then(Vec::new),
            Lane::Organization(_) if is_complete && is_read_by_window => Some(self.scope.patients.clone()),
            Lane::Patient(_) | Lane::Organization(_) | Lane::Appointment(_) => Some(self.done.patients.clone()),
        };
        let failed = [&self.scope.unknown[..], &self.done.unanswered[..]].concat();
        Patients { read, failed, fresh_since: self.plan.began }
    }
}
