//! One run of the sync, step by step: reads the lists of its plan page by page, and stores each page before it asks for
//! the next; marks visits as deleted; closes the log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tracing::warn;

use super::clients::{self, Terms};
use super::deletions::{Coverage, Deletions, Part};
use super::done::{Done, WindowRead};
use super::end::{End, Stop, StopReason};
use super::fetch::{FetchError, Fetched, Fetcher};
use super::inbox::{self, Answer, Due};
use super::lane::Lane;
use super::log::Log;
use super::outcome::{Outcome, Status};
use super::pages::{Next, Pages};
use super::plan::Plan;
use super::progress::Progress;
use super::query::{Query, WindowDays};
use super::rate_limit::{Purpose, RateLimits};
use super::report::{Problem, Report};
use super::scope::Scope;
use super::store::Store;
use crate::clients::practiceq::{Filter, PracticeQ, client_term};
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
    /// The appointments of the events that are due, in the lane of the inbox.
    pub due: Vec<Due>,
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
    terms: Terms,
    done: Done,
    due: Vec<Due>,
}

impl<'a> Session<'a> {
    /// Refuses a task that is not allowed, and opens the log.
    pub async fn open(run: &'a Run, task: Task<'a>, report: &'a mut Report) -> Result<Self, Halt> {
        let Task { lane, window_days, api, limits, queued_from, due } = task;
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
            fetcher: Fetcher::new(run, api, limits, Purpose::of(&lane), progress),
            store: Store::new(run, log.id, &plan.lane, &scope, queued_from),
            deletions: Deletions::new(run, log.id, plan.window.interior(), scope.zoneless.clone()),
            scope,
            plan,
            log,
            terms: Terms::default(),
            done: Done::default(),
            due,
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
        let outcome = match self.plan.lane.clone() {
            Lane::Appointment(id) => self.read_appointment(&id).await,
            Lane::Inbox => self.drain().await,
            Lane::Full | Lane::Incremental | Lane::Patient(_) | Lane::Organization(_) => self.read_lists().await,
        };
        match outcome {
            Ok(()) if self.plan.lane.reads_lists() => self.delete().await?,
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
                    if self.done.add_unanswered(&patient) {
                        let items = Batch { entity: "patient", part: "", ids: &[patient] };
                        let error = error.context(purpose);
                        self.report.items_failed(self.run, Problem::NotFetched, items, &error).await?;
                    }
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
        let Some(filter) = self.filter(query).await? else { return Ok(()) };
        let mut pages = Pages::of(query, self.plan.page_rows, self.longest_page());
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
                Next::Page => (self.plan.page, self.plan.page_rows) = (page + 1, pages.longest()),
                Next::None => {
                    self.terms.add_search(&filter);
                    self.done.longest_page = self.done.longest_page.max(pages.longest());
                    if matches!(query, Query::Window { .. }) {
                        self.done.window = Some(WindowRead { pages: page, rows: pages.rows() });
                    }
                    return Ok(());
                }
                Next::Repeated => {
                    let message =
                        format!("page {page} has nothing that was not on an earlier page, and is no last page");
                    return Err(End::StartOver(Error::new("PRACTICEQ_PAGES", ErrorKind::Other, message)).into());
                }
            }
        }
    }

    /// The parameters of a list; None: there is nothing to ask for, or no way to.
    async fn filter(&mut self, query: &Query) -> Result<Option<Filter>, FetchError> {
        let term = match query {
            Query::Window { .. } | Query::Since { .. } | Query::Deleted => return Ok(Some(query.filter(None))),
            Query::Client { patient, .. } => Query::term(self.run, patient).await?,
            Query::OtherClient { patient, client, .. } => self.term_of(client, patient).await?,
        };
        let term = term.filter(|term| !self.terms.was_searched(term));
        Ok(term.map(|term| query.filter(Some(term))))
    }

    /// What the account calls a client of a patient: as the run has read it, else as a visit of it says.
    async fn term_of(&mut self, client: &str, patient: &Key) -> Result<Option<String>, FetchError> {
        if let Some(term) = self.terms.of(client) {
            return Ok(Some(term.clone()));
        }
        for visit in clients::visits_of(self.run, client, patient).await? {
            let fetched = self.fetcher.appointment(visit.as_str(), "visit of a client").await;
            let Fetched { content, asked_at } = self.count_requests(fetched)?;
            let term = content.as_ref().and_then(client_term);
            self.take(visit.as_str(), content, asked_at).await?;
            if term.is_some() {
                return Ok(term);
            }
        }
        let items = Batch { entity: "client", part: "", ids: &[client] };
        self.report.items_failed(self.run, Problem::NotFetched, items, &clients::unknown_client()).await?;
        self.done.add_partly(patient);
        Ok(None)
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
        self.take(id, content, asked_at).await?;
        Ok(found_at)
    }

    /// Stores an appointment that was asked for; without content marks it as deleted.
    async fn take(&mut self, id: &str, content: Option<Value>, asked_at: DateTime<Utc>) -> Result<(), Halt> {
        match content {
            Some(row) => self.store(&[row], asked_at).await,
            None => self.deletions.delete(&[id.to_owned()], asked_at, self.report).await,
        }
    }

    /// Asks for the appointments of the events that wait.
    async fn drain(&mut self) -> Result<(), End> {
        let due = std::mem::take(&mut self.due);
        let events = inbox::drain(self.run, due, async |due| self.answer(due).await).await?;
        self.report.events = Some(events);
        let stored = &self.report.total_appointments;
        self.report.total_patients = stored.new + stored.updated + stored.unchanged + self.report.deleted;
        Ok(())
    }

    /// Asks for the appointment of events, and stores the answer.
    async fn answer(&mut self, due: &Due) -> Result<Answer, End> {
        let (id, left) = (&due.external_id, self.left_to_the_next());
        let fetched = self.fetcher.appointment(id, &format!("event, appointment {id}")).await;
        let Fetched { content, asked_at } = match self.count_requests(fetched) {
            Ok(fetched) => fetched,
            Err(FetchError::Unanswered { purpose, error, .. }) => {
                let items = Batch { entity: "appointment", part: "", ids: std::slice::from_ref(id) };
                self.report.items_failed(self.run, Problem::NotFetched, items, &error.context(purpose)).await?;
                return Ok(Answer::None);
            }
            Err(FetchError::End(End::Stop(Stop { reason, message }))) => {
                warn!(run_id = %self.run.id, error_code = reason.code(), "{message}; events wait for the next run");
                return Ok(Answer::NoRequest);
            }
            Err(FetchError::End(end)) => return Err(end),
        };
        self.take(id, content, asked_at).await?;
        self.deletions.remove_unowned(self.report).await?;
        // What somebody else holds is tried again.
        Ok(if self.left_to_the_next() > left { Answer::NotStored } else { Answer::Stored(asked_at) })
    }

    /// How many visits somebody else holds or changed at the same time.
    fn left_to_the_next(&self) -> u64 {
        let skipped = &self.report.not_done.skipped_by_reason;
        ["locked", "changed"].iter().filter_map(|reason| skipped.get(reason)).sum()
    }

    /// The report has the number of requests also where the run is ended between two of them.
    fn count_requests<T>(&mut self, fetched: Result<T, FetchError>) -> Result<T, FetchError> {
        self.report.requests = self.fetcher.requests();
        fetched
    }

    async fn store(&mut self, rows: &[Value], asked_at: DateTime<Utc>) -> Result<(), Halt> {
        if self.plan.lane.is_by_hand() {
            self.terms.add(rows);
        }
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
            Lane::Patient(id) if !self.plan.is_resumed && self.done.failed().is_empty() => Part::Patient(id.clone()),
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
        self.done.count(self.report, &self.scope, &self.plan, is_complete);
        let outcome = Outcome::of(read, is_answered, self.plan.is_resumed, self.report);
        let patients = self.done.patients(&self.scope, &self.plan, is_complete);
        let close = async |tx: &Transaction<'_>| {
            if is_complete {
                self.plan.save_state(tx, self.log.id, self.done.last_sweep()).await?;
            }
            self.plan.save(tx, self.run.id, outcome.continues).await?;
            self.log.close(tx, &outcome, self.report, &patients).await
        };
        let closed = self.run.write(CLOSING, WriteOptions::AFTER_STOP, close).await;
        let Err(Halt::Failed(error)) = closed else { return closed.and(outcome.result) };
        // The state and the cursor stay as they were; but the log does not stay open.
        let status = Status::of_failure(is_answered);
        let outcome = Outcome { status, error: Some(error.to_string()), continues: false, result: outcome.result };
        let patients = self.done.patients(&self.scope, &self.plan, false);
        let close = async |tx: &Transaction<'_>| self.log.close(tx, &outcome, self.report, &patients).await;
        if let Err(halt) = self.run.write(CLOSING, WriteOptions::AFTER_STOP, close).await {
            let (code, message) = (halt.code(), halt.message());
            warn!(run_id = %self.run.id, error_code = code, "the log of the sync stays open: {message}");
        }
        outcome.result.and(Err(error.into()))
    }

    fn report_stop(&mut self, Stop { reason, message }: &Stop) {
        let (page, code) = (self.plan.page, reason.code());
        warn!(run_id = %self.run.id, error_code = code, page, "stopped: {message}; the next run goes on there");
        self.report.stop(page, code);
    }
}
