//! The messages of a run between a page and their outcome: they are marked, sent, and settled.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::try_join;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::due::Due;
use super::gateway::{Channel, Gateway};
use super::marked::{self, Mark};
use super::pages::{Page, Pages, ToBeTold};
use super::report::Report;
use super::sending::{Event, Sending};
use super::settle::{self, Decided, Omen, Outcome, Sent, Status};
use super::told;
use crate::clients::provider::{Answer, Provider as _};
use crate::clients::word::{Moment, Question};
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, WriteOptions, record_failed_items};

/// After so many requests in a row that could not leave, the provider is taken to be down.
const UNREACHABLE_MAX: u32 = 3;

pub struct Outgoing<'a> {
    pages: &'a Pages<'a>,
    sending: Sending,
    knows_doubles: bool,
    /// Whether messages ask for their word.
    holds: bool,
    /// After it nothing leaves.
    last_orders: Instant,
    ready: VecDeque<Ready>,
    /// Under way, by the ids of their rows.
    sent: HashMap<i64, Ready>,
    /// Left to the next run.
    passed_over: Vec<i64>,
    /// They are SENT, and their logs do not say so yet.
    untold: Vec<i64>,
    /// To be written with the next transaction.
    outcomes: Vec<Outcome>,
    /// To be answered after it.
    questions: Vec<Question>,
    /// The next page, which is read beside the requests.
    reading: Option<Reading<'a>>,
    /// No more is due.
    is_exhausted: bool,
    /// How many requests in a row could not leave.
    unreachable: u32,
    /// Why nothing more is sent.
    end: Option<Halt>,
}

type Reading<'a> = Pin<Box<dyn Future<Output = Result<Page, Halt>> + 'a>>;

/// What a run waits for.
enum Next {
    Event(Event),
    Page(Result<Page, Halt>),
    /// The turn of the next request, or the end of the run.
    Turn,
}

/// A message that is to be sent.
struct Ready {
    due: Due,
    to: String,
}

impl<'a> Outgoing<'a> {
    pub fn new(pages: &'a Pages<'a>, gateway: Arc<Gateway>, last_orders: Instant) -> Self {
        let (knows_doubles, holds) = (gateway.knows_doubles(), gateway.holds());
        Self {
            pages,
            sending: Sending::new(gateway, pages.job.concurrency as usize, pages.job.per_second),
            knows_doubles,
            holds,
            last_orders,
            ready: VecDeque::new(),
            sent: HashMap::new(),
            passed_over: vec![],
            untold: vec![],
            outcomes: vec![],
            questions: vec![],
            reading: None,
            is_exhausted: false,
            unreachable: 0,
            end: None,
        }
    }

    pub async fn send_all(mut self, report: &mut Report) -> Result<(), Halt> {
        loop {
            let is_over = self.end.is_some() || Instant::now() >= self.last_orders;
            if !is_over && let Err(halt) = self.pages.run.checkpoint() {
                self.end = Some(halt);
                continue;
            }
            let next = if is_over { 0 } else { self.sending.free().min(self.ready.len()) };
            self.write(next, report).await?;
            let few = 2 * self.pages.job.concurrency as usize;
            if !is_over && self.reading.is_none() && !self.is_exhausted && self.ready.len() < few {
                self.read();
            }
            let is_empty = self.is_exhausted && self.ready.is_empty() && self.reading.is_none();
            if self.sending.is_idle() && (is_over || is_empty) {
                break;
            }
            self.wait(is_over, report).await;
        }
        report.not_done.skip("not_reached", self.ready.len() as u64);
        told::note_sent(self.pages.run, &self.untold, self.pages.now()).await?;
        if let Some(reading) = self.reading {
            // Its connection is not left in the middle of a statement.
            let _ = reading.await;
        }
        self.end.map_or(Ok(()), Err)
    }

    /// Begins to read a page, after the logs of what the last one has sent are written. Nothing is decided at this moment that is not written: a page has nothing that is under way,
    /// whatever becomes of it meanwhile.
    fn read(&mut self) {
        let waiting = || self.ready.iter().chain(self.sent.values()).map(|ready| &ready.due);
        let underway: Vec<i64> = waiting().map(|due| due.id).chain(self.passed_over.iter().copied()).collect();
        let mut told = ToBeTold::new();
        for id in waiting().filter_map(Due::counted_patient) {
            *told.entry(id.clone()).or_default() += 1;
        }
        let (pages, untold) = (self.pages, std::mem::take(&mut self.untold));
        self.reading = Some(Box::pin(async move {
            told::note_sent(pages.run, &untold, pages.now()).await?;
            pages.next(&underway, &mut told).await
        }));
    }

    fn refill(&mut self, page: Result<Page, Halt>, report: &mut Report) {
        self.reading = None;
        let page = match page {
            Ok(page) => page,
            Err(halt) => {
                self.end.get_or_insert(halt);
                return;
            }
        };
        self.is_exhausted = page.is_last;
        for (due, verdict) in page.judged {
            report.scanned += 1;
            match Outcome::of_verdict(due.id, verdict) {
                Decided::Leaves(to) => self.ready.push_back(Ready { due, to }),
                Decided::Stays(outcome) => self.settled(outcome, report),
            }
        }
    }

    fn settled(&mut self, outcome: Outcome, report: &mut Report) {
        report.note(&outcome);
        self.outcomes.push(outcome);
    }

    /// Waits for an answer or a question, for the next page, for the turn of the next request, or for the end of the run.
    async fn wait(&mut self, is_over: bool, report: &mut Report) {
        let turn = self.sending.next_turn().filter(|_| !is_over && !self.ready.is_empty());
        let turn = async {
            match turn {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let reading = self.reading.as_mut().filter(|_| !is_over);
        let page = async {
            match reading {
                Some(reading) => reading.await,
                None => std::future::pending().await,
            }
        };
        let is_idle = self.sending.is_idle();
        let next = tokio::select! {
            event = self.sending.event(), if !is_idle => Next::Event(event),
            page = page => Next::Page(page),
            () = turn => Next::Turn,
            _ = self.pages.run.halted(), if !is_over => Next::Turn,
        };
        let mut event = match next {
            Next::Event(event) => Some(event),
            Next::Page(page) => return self.refill(page, report),
            Next::Turn => None,
        };
        while let Some(what) = event {
            match what {
                Event::Answer(id, answer) => self.answered(id, answer, report),
                Event::Question(question) => self.questions.push(question),
            }
            event = self.sending.came();
        }
    }

    fn answered(&mut self, id: i64, answer: Option<Answer>, report: &mut Report) {
        let Some(ready) = self.sent.remove(&id) else { return };
        let (outcome, omen) = match answer {
            None => (Outcome::not_sent(id), Omen::Good),
            Some(answer) => {
                let sent = Sent {
                    id,
                    to: &ready.to,
                    attempts: ready.due.attempts + 1,
                    max_attempts: self.pages.job.max_attempts,
                    knows_doubles: self.knows_doubles,
                };
                Outcome::of_answer(&sent, answer, self.pages.now())
            }
        };
        match omen {
            Omen::Good => self.unreachable = 0,
            Omen::Setup(code) => self.stop(channel_stopped(self.pages.job.channel, &code)),
            Omen::Unreachable(code) => {
                self.unreachable += 1;
                if self.unreachable >= UNREACHABLE_MAX {
                    self.stop(unreachable(self.pages.job.channel, &code));
                }
            }
        }
        self.settled(outcome, report);
    }

    fn stop(&mut self, error: Error) {
        self.end.get_or_insert(Halt::Failed(error));
    }

    /// Writes the outcomes, gives the word to those that ask for it, and marks and sends the next messages, in one
    /// transaction; none where there is nothing.
    async fn write(&mut self, next: usize, report: &mut Report) -> Result<(), Halt> {
        // The others have been given up meanwhile.
        self.questions.retain(|question| !question.answer.is_closed());
        if next == 0 && self.outcomes.is_empty() && self.questions.is_empty() {
            return Ok(());
        }
        let Pages { job, run, .. } = self.pages;
        let ids: Vec<i64> = self.ready.iter().take(next).map(|ready| ready.due.id).collect();
        let asked: Vec<i64> = self.questions.iter().map(|question| question.id).collect();
        let (moment, now, outcomes, holds) = (Moment::now(), self.pages.now(), &self.outcomes, self.holds);
        let (let_go, marked) = run
            .write("marking messages as SENDING", WriteOptions::AFTER_STOP, async |tx| {
                let settled = settle_all(tx, run.id, job.channel, outcomes, now);
                let marked = marked::write(tx, (&asked, &ids), run.id, now, holds);
                // The server has the second statement before it has answered the first.
                Ok(try_join(settled, marked).await?.1)
            })
            .await?;
        let sent = self.outcomes.drain(..).filter(|outcome| outcome.status == Status::Sent);
        self.untold.extend(sent.map(|outcome| outcome.id));
        for question in self.questions.drain(..).filter(|question| let_go.contains(&question.id)) {
            // It may have been given up.
            let _ = question.answer.send(moment);
        }
        for ready in self.ready.drain(..next) {
            match marked.get(&ready.due.id) {
                Some(Mark::Made) => {
                    self.sending.send(ready.due.message(job.channel, ready.to.clone(), now), moment);
                    self.sent.insert(ready.due.id, ready);
                }
                missed => {
                    report.not_done.skip(if missed.is_some() { "locked" } else { "changed" }, 1);
                    // A page would have it again, and again.
                    self.passed_over.push(ready.due.id);
                }
            }
        }
        Ok(())
    }
}

async fn settle_all(
    tx: &Transaction<'_>,
    run: Uuid,
    channel: Channel,
    outcomes: &[Outcome],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    settle::write(tx, run, channel, outcomes, now).await?;
    for (code, ids) in failed(outcomes) {
        let what = (code.as_str(), "the message was not delivered, or may not have been");
        record_failed_items(tx, run, "notification", &ids, what).await?;
    }
    Ok(())
}

/// The failed ones among outcomes, by code.
fn failed(outcomes: &[Outcome]) -> HashMap<String, Vec<String>> {
    let mut failed: HashMap<String, Vec<String>> = HashMap::new();
    for outcome in outcomes {
        let code = match outcome.status {
            Status::Failed => outcome.reason.clone().unwrap_or_default(),
            Status::Uncertain => "UNCERTAIN".to_owned(),
            _ => continue,
        };
        failed.entry(code).or_default().push(outcome.id.to_string());
    }
    failed
}

fn channel_stopped(channel: Channel, code: &str) -> Error {
    let message = format!(
        "the provider of {} refuses us ({code}): nothing more was sent, all messages stay PENDING; look at the account, \
         the sender and the key (docs/notifications.md)",
        channel.stored()
    );
    Error::new("CHANNEL_STOPPED", ErrorKind::Other, message)
}

fn unreachable(channel: Channel, code: &str) -> Error {
    let message = format!(
        "the provider of {} cannot be reached ({code}): nothing more was sent, all messages stay PENDING",
        channel.stored()
    );
    Error::new("PROVIDER_UNREACHABLE", ErrorKind::Other, message)
}
