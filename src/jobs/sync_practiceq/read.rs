//! Reads the account, page by page; each page is stored before the next is asked for.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::budget::Budget;
use super::plan::{Plan, Query};
use super::scope::Scope;
use super::show::Show;
use super::{End, Report, SyncPracticeq, log};
use crate::clients::practiceq::{Answer, Ask, PAGE_ROWS, PracticeQ, id};
use crate::db::statements;
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Job, Run};

statements! {
    SEARCH_TERM(INT8) = "SELECT coalesce(NULLIF(btrim(email), ''), concat_ws(' ', first_name, last_name))
        FROM patients WHERE id = $1";
}

/// So many patients in a row of whom no answer came.
const IN_A_ROW: u32 = 2;
const TOO_LATE: &str = "the run's time is over";

/// A run at its work.
pub struct Reading<'a> {
    pub(super) job: &'a SyncPracticeq,
    pub(super) run: &'a Run,
    pub(super) report: &'a mut Report,
    pub(super) lane: String,
    pub(super) scope: Scope,
    pub(super) plan: Plan,
    /// The run's row in `sync_logs`; a dry run has none.
    pub(super) log: Option<i64>,
    /// What was read, as content and client by external id.
    pub(super) seen: HashMap<String, (String, Option<String>)>,
    /// Visits that are to be taken out of a chart, and when that was read.
    pub(super) strays: Vec<(DateTime<Utc>, Vec<i64>)>,
    /// What the account lists as deleted, and when it was asked.
    pub(super) gone: Vec<String>,
    pub(super) gone_at: Option<DateTime<Utc>>,
    /// When the first request was sent.
    pub(super) began: Option<DateTime<Utc>>,
    /// How many requests were answered.
    pub(super) heard: u64,
    /// Patients whose visits were read, or could not be, one by one.
    pub(super) done: Vec<i64>,
    pub(super) unread: Vec<i64>,
    pub(super) sweep_pages: u32,
    api: PracticeQ,
    budget: Budget<'a>,
    show: Show,
}

impl<'a> Reading<'a> {
    /// Refuses what may not be, and opens the log.
    pub async fn open(
        job: &'a SyncPracticeq,
        run: &'a Run,
        api: PracticeQ,
        report: &'a mut Report,
    ) -> Result<Self, Halt> {
        let lane = job.lane();
        let look = async |tx: &Transaction<'_>| {
            let scope = Scope::of(tx, job, run.actor()).await?;
            let plan = Plan::of(tx, job, (&lane, run.now), &scope).await?;
            Ok((scope, plan))
        };
        let (scope, plan) = run.read("looking for patients in scope", look).await?;
        let log = log::open(job, run).await?;
        report.sync_log_id = log;
        report.total_patients = scope.patients.len() as u64;
        let show = Show::new(plan.pages.filter(|_| lane == "full").map(|pages| u64::from(pages) + 2));
        Ok(Self {
            job,
            run,
            report,
            lane,
            scope,
            plan,
            log,
            seen: HashMap::new(),
            strays: vec![],
            gone: vec![],
            gone_at: None,
            began: None,
            heard: 0,
            done: vec![],
            unread: vec![],
            sweep_pages: 0,
            api,
            budget: Budget::new(run, &job.limits, job.is_by_hand()),
            show,
        })
    }

    pub async fn read(&mut self) -> Result<(), End> {
        let no_email = Error::new("NO_EMAIL", ErrorKind::Data, "has no e-mail, and no client of the account is known");
        self.report.scanned += self.scope.unknown.len() as u64;
        let unknown = self.scope.unknown.clone();
        self.run.items_failed(&mut self.report.not_done, "patient", &unknown, &no_email).await?;
        let outcome = match &self.job.appointment {
            Some(id) => self.one(id).await,
            None => self.lists().await,
        };
        match outcome {
            Ok(()) if self.job.appointment.is_none() => self.absences().await?,
            Ok(()) | Err(End::Stop { .. }) => {}
            Err(End::Halt(_)) => return outcome,
        }
        self.take_out().await?;
        outcome
    }

    /// All lists that are left.
    async fn lists(&mut self) -> Result<(), End> {
        let mut in_a_row = 0;
        while let Some(query) = self.plan.queries.first().cloned() {
            match (self.list(&query).await, query.patient()) {
                (Err(End::Halt(Halt::Failed(error))), Some(patient)) if error.code == "PRACTICEQ_HTTP" => {
                    self.report.scanned += 1;
                    self.unread.push(patient);
                    self.run.items_failed(&mut self.report.not_done, "patient", &[patient], &error).await?;
                    in_a_row += 1;
                }
                (outcome, patient) => {
                    outcome?;
                    self.done.extend(patient);
                    in_a_row = 0;
                }
            }
            self.plan.queries.remove(0);
            self.plan.page = 1;
            // It is no matter of one patient.
            if in_a_row == IN_A_ROW && !self.plan.queries.is_empty() {
                return Err(End::stop("PRACTICEQ_HTTP", "several patients in a row could not be read"));
            }
        }
        Ok(())
    }

    /// One list, to its end.
    async fn list(&mut self, query: &Query) -> Result<(), End> {
        let filter = self.filter(query).await?;
        let mut ids = HashSet::new();
        loop {
            let page = self.plan.page;
            let ask = Ask::Page { filter: &filter, page };
            let (answer, asked_at) = self.ask(&ask, &query.purpose(page)).await?;
            let Answer::Rows(rows) = answer else { return Err(odd_answer().into()) };
            self.report.pages += 1;
            let before = ids.len();
            ids.extend(rows.iter().map(|row| row["Id"].to_string()));
            match query {
                Query::Deleted => {
                    self.gone_at.get_or_insert(asked_at);
                    self.gone.extend(rows.iter().filter_map(id));
                }
                _ => self.store(&rows, asked_at).await?,
            }
            self.show.read(self.report.pages, self.report.scanned);
            if rows.len() < PAGE_ROWS {
                self.sweep_pages += if matches!(query, Query::Window { .. }) { page } else { 0 };
                return Ok(());
            }
            if ids.len() == before {
                let message = format!("page {page} has nothing that was not on an earlier page, and is no last page");
                return Err(Error::new("PRACTICEQ_PAGES", ErrorKind::Other, message).into());
            }
            self.plan.page += 1;
        }
    }

    /// As the API calls it.
    async fn filter(&self, query: &Query) -> Result<Vec<(&'static str, String)>, Halt> {
        let window = |from: &chrono::NaiveDate, to: &chrono::NaiveDate| {
            vec![("startDate", from.to_string()), ("endDate", to.to_string())]
        };
        Ok(match query {
            Query::Window { from, to } => window(from, to),
            Query::Since { date } => vec![("updatedSince", date.to_string())],
            Query::Deleted => vec![("deletedOnly", "true".to_owned())],
            Query::Client { patient, from, to } => {
                let search =
                    async |tx: &Transaction<'_>| Ok(SEARCH_TERM.one(tx, &[patient]).await?.get::<_, String>(0));
                let client = self.run.read("looking for the patient to ask for", search).await?;
                [vec![("client", client)], window(from, to)].concat()
            }
        })
    }

    /// One appointment, by its id.
    async fn one(&mut self, id: &str) -> Result<(), End> {
        let (answer, asked_at) = self.ask(&Ask::One(id), "appointment").await?;
        match answer {
            Answer::Rows(rows) => self.store(&rows, asked_at).await?,
            _ => self.delete(&[id.to_owned()], asked_at).await?,
        }
        let stored = &self.report.total_appointments;
        let patients = stored.new + stored.updated + stored.unchanged + self.report.deleted;
        self.report.total_patients = patients;
        Ok(())
    }

    /// Asks once it may, again where that helps, and counts each time. The instant is when it was asked.
    pub(super) async fn ask(&mut self, ask: &Ask<'_>, purpose: &str) -> Result<(Answer, DateTime<Utc>), End> {
        let (run, retry, left) = (self.run, self.run.retry(), self.budget.left());
        if left.is_zero() {
            return Err(End::stop("TIME", TOO_LATE));
        }
        // What is no failure of the request is not tried again.
        let attempt = async || match self.attempt(ask, purpose).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(error)) => Err(error),
            Err(end) => Ok(Err(end)),
        };
        // Nobody waits for an answer longer than there is time to tell of it.
        let outcome = tokio::select! {
            outcome = retry.run("asking PracticeQ", attempt) => outcome,
            halt = run.halted() => Ok(Err(halt.into())),
            () = tokio::time::sleep(left) => Ok(Err(End::stop("TIME", TOO_LATE))),
        };
        self.report.requests = self.budget.used;
        match outcome {
            Ok(Ok((answer, asked_at))) => {
                self.began.get_or_insert(asked_at);
                self.heard += 1;
                Ok((answer, asked_at))
            }
            Ok(Err(end)) => Err(end),
            // The next run goes on; only a patient who is asked for alone can be left out.
            Err(error) if error.code == "PRACTICEQ_HTTP" && self.heard > 0 && !self.asks_for_a_patient() => {
                Err(End::stop("PRACTICEQ_HTTP", error.message))
            }
            Err(error) => Err(error.context(purpose).into()),
        }
    }

    fn asks_for_a_patient(&self) -> bool {
        self.plan.queries.first().is_some_and(|query| query.patient().is_some())
    }

    /// One attempt; where the account asks to be left alone, a second after that.
    async fn attempt(&mut self, ask: &Ask<'_>, purpose: &str) -> Result<Result<(Answer, DateTime<Utc>), Error>, End> {
        let mut limited = false;
        loop {
            let asked_at = self.budget.take(purpose, &self.show).await?;
            match self.api.ask(ask).await {
                Ok(Answer::Later(wait)) => {
                    self.budget.block(wait, asked_at).await?;
                    if limited {
                        return Err(End::stop(
                            "RATE_LIMITED",
                            "the account asked twice in a row to be left alone (429)",
                        ));
                    }
                    limited = true;
                }
                Ok(answer) => return Ok(Ok((answer, asked_at))),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
}

fn odd_answer() -> Error {
    Error::new("PRACTICEQ_HTTP", ErrorKind::Other, "a list was asked for, and one appointment came")
}
