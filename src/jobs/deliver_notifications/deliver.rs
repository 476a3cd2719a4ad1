//! The steps of a run: what dead runs left, what is too old, and then page after page of what is due.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::decide::{Policy, Verdict};
use super::due::{Due, Recipient};
use super::follow_up::FollowUp;
use super::gateway::Gateway;
use super::sending::{Moment, Sending};
use super::settle::{self, Omen, Outcome, Sent, Status};
use super::{DeliverNotifications, Report, facts, stranded};
use crate::clients::provider::{Answer, Provider as _};
use crate::clinic::local_time::before;
use crate::clinic::templates::Templates;
use crate::db::{Key, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Run, WriteOptions, count, record_failed_items};

statements! {
    EXPIRE_OLD(TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8) = include_str!("expire_old.sql");
    MARK(INT8_ARRAY, UUID, TIMESTAMPTZ) = include_str!("mark.sql");
}

/// How many messages are looked at together: the facts of each are at most some seconds old when it is sent.
const PAGE: i64 = 64;
/// A run ends in order so long before its deadline: a request may take that long.
const LAST_ORDERS: Duration = Duration::from_secs(50);
/// After so many requests in a row that could not leave, the provider is taken to be down.
const UNREACHABLE_MAX: u32 = 3;

pub struct Deliverer<'a> {
    job: &'a DeliverNotifications,
    run: &'a Run,
    began: Instant,
    policy: Policy<'a>,
    templates: Templates,
}

/// A message that is to be sent.
struct Ready {
    due: Due,
    to: String,
}

/// The messages of a run between a page and their outcome.
#[derive(Default)]
struct Queue {
    ready: VecDeque<Ready>,
    /// Under way, with the attempts of each.
    sent: HashMap<i64, Ready>,
    /// To be written with the next transaction.
    outcomes: Vec<Outcome>,
    /// How many NORMAL messages each patient gets by this run.
    told: HashMap<Key, u32>,
    /// No more is due.
    is_exhausted: bool,
    unreachable: u32,
    /// Why nothing more is sent.
    end: Option<Halt>,
}

impl<'a> Deliverer<'a> {
    pub fn new(job: &'a DeliverNotifications, run: &'a Run) -> Result<Self, Halt> {
        let policy = Policy {
            channel: job.channel,
            oldest: before(run.now, job.max_age),
            quiet_hours: job.quiet_hours,
            patient_cap: job.patient_cap,
            only_to: job.only_to.as_deref(),
        };
        let templates = Templates::read(job.templates.as_deref())?;
        Ok(Self { job, run, began: Instant::now(), policy, templates })
    }

    /// The instant of the run, which goes on while it sends.
    fn now(&self) -> DateTime<Utc> {
        self.run.now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    pub async fn deliver(self, report: &mut Report) -> Result<(), Halt> {
        let (channel, limit) = (self.job.channel, self.run.scan_limit());
        let due = self
            .run
            .read("counting the messages that are due", async |tx| {
                Due::count(tx, channel, self.run.now, self.policy.oldest, limit).await
            })
            .await?;
        self.run.brake(due).await?;
        if self.run.dry_run() {
            return self.rehearse(report).await;
        }
        let gateway = Arc::new(Gateway::open(channel, &self.job.options)?);
        let (settled, uncertain) =
            stranded::settle(self.run, (&gateway, &self.templates), (channel, self.job.country), self.now()).await?;
        report.settled = settled;
        for id in uncertain {
            warn!(run_id = %self.run.id, id, error_code = stranded::RUN_ENDED, "notification {id} may have been sent");
            report.scanned += 1;
            report.not_done.fail("notification", id, stranded::RUN_ENDED);
        }
        self.expire_old(report).await?;
        self.send_all(gateway.clone(), report).await?;
        if gateway.reports() { self.follow_up(gateway, report).await } else { Ok(()) }
    }

    /// Asks what became of messages of earlier runs.
    async fn follow_up(&self, gateway: Arc<Gateway>, report: &mut Report) -> Result<(), Halt> {
        let (channel, country, slots) = (self.job.channel, self.job.country, self.job.concurrency as usize);
        let (per_second, until) = (self.job.per_second, self.last_orders());
        let follow_up = FollowUp { run: self.run, gateway, channel, country, slots, per_second, until };
        let told = follow_up.ask(|| self.now()).await?;
        (report.asked, report.delivered, report.found) = (told.asked, told.delivered, told.found);
        for (id, code) in told.failed {
            report.scanned += 1;
            report.not_done.fail("notification", id, &code);
        }
        Ok(())
    }

    /// After it nothing leaves.
    fn last_orders(&self) -> Instant {
        self.began + self.run.time_limit.saturating_sub(LAST_ORDERS).max(self.run.time_limit / 2)
    }

    /// Ends what is too old to be sent, also in a first run that finds a backlog.
    async fn expire_old(&self, report: &mut Report) -> Result<(), Halt> {
        let (mut too_old, rows) = (0, self.run.batch_rows() as i64);
        loop {
            let row = self
                .run
                .write("ending messages that are too old", WriteOptions::BATCH, async |tx| {
                    EXPIRE_OLD.one(tx, &[&self.job.channel.stored(), &self.run.now, &self.policy.oldest, &rows]).await
                })
                .await?;
            let ended = count(&row, "ended");
            report.expired += ended;
            too_old += count(&row, "too_old");
            if ended < rows.unsigned_abs() {
                break;
            }
        }
        if too_old > 0 {
            let age = humantime::format_duration(self.job.max_age);
            warn!(run_id = %self.run.id, messages = too_old, "{too_old} messages older than {age} were not sent (--max-age)");
        }
        Ok(())
    }

    /// What would become of all that is due; nothing is sent.
    async fn rehearse(&self, report: &mut Report) -> Result<(), Halt> {
        let mut queue = Queue::default();
        let mut seen: Vec<i64> = vec![];
        while !queue.is_exhausted && (seen.len() as i64) < self.run.scan_limit() {
            for (due, verdict) in self.page(&mut queue, &seen).await? {
                seen.push(due.id);
                match Outcome::of_verdict(due.id, &verdict) {
                    Some(outcome) => tally(report, &outcome),
                    None => report.sent += 1,
                }
                report.scanned += 1;
            }
        }
        Ok(())
    }

    /// A page of what is due, with the verdict on each.
    async fn page(&self, queue: &mut Queue, underway: &[i64]) -> Result<Vec<(Due, Verdict)>, Halt> {
        let (channel, now) = (self.job.channel, self.now());
        let (page, facts) = self
            .run
            .read("reading the messages that are due", async |tx| {
                let page = Due::page(tx, channel, now, underway, PAGE).await?;
                let facts = facts::read(tx, channel, self.job.country, &page, now).await?;
                Ok((page, facts))
            })
            .await?;
        queue.is_exhausted = page.len() < PAGE as usize;
        let judged = page.into_iter().zip(facts).map(|(due, facts)| {
            let due = due.rendered(&self.templates, channel);
            let patient = match &due.recipient {
                Recipient::Patient(id) if !due.is_high => Some(id.clone()),
                _ => None,
            };
            let told = patient.as_ref().and_then(|id| queue.told.get(id)).copied().unwrap_or(0);
            let verdict = self.policy.verdict(&due, &facts, facts.told.saturating_add(told), now);
            if let (Some(id), Verdict::Send(_)) = (patient, &verdict) {
                *queue.told.entry(id).or_default() += 1;
            }
            (due, verdict)
        });
        Ok(judged.collect())
    }

    async fn refill(&self, queue: &mut Queue, report: &mut Report) -> Result<(), Halt> {
        // What is under way was counted as told already, when it has become SENT.
        let underway: Vec<i64> =
            queue.ready.iter().map(|ready| ready.due.id).chain(queue.sent.keys().copied()).collect();
        queue.told.clear();
        let waiting = queue.ready.iter().chain(queue.sent.values()).filter_map(|ready| match &ready.due.recipient {
            Recipient::Patient(id) if !ready.due.is_high => Some(id.clone()),
            _ => None,
        });
        let waiting: Vec<Key> = waiting.collect();
        for id in waiting {
            *queue.told.entry(id).or_default() += 1;
        }
        for (due, verdict) in self.page(queue, &underway).await? {
            report.scanned += 1;
            match (Outcome::of_verdict(due.id, &verdict), verdict) {
                (Some(outcome), _) => {
                    tally(report, &outcome);
                    queue.outcomes.push(outcome);
                }
                (None, Verdict::Send(to)) => queue.ready.push_back(Ready { due, to }),
                (None, _) => {}
            }
        }
        Ok(())
    }

    async fn send_all(&self, gateway: Arc<Gateway>, report: &mut Report) -> Result<(), Halt> {
        let knows_doubles = gateway.knows_doubles();
        let mut sending = Sending::new(gateway, self.job.concurrency as usize, self.job.per_second);
        let mut queue = Queue::default();
        let last_orders = self.last_orders();
        loop {
            let is_over = queue.end.is_some() || Instant::now() >= last_orders;
            if !is_over {
                if let Err(halt) = self.run.checkpoint() {
                    queue.end = Some(halt);
                    continue;
                }
                if queue.ready.len() < self.job.concurrency as usize && !queue.is_exhausted {
                    // What was decided is written first, so that the page does not have it again.
                    self.write(&mut queue, &mut sending, 0, report).await?;
                    self.refill(&mut queue, report).await?;
                }
            }
            let next = if is_over { 0 } else { sending.free().min(queue.ready.len()) };
            if next > 0 || !queue.outcomes.is_empty() {
                self.write(&mut queue, &mut sending, next, report).await?;
            }
            if sending.is_idle() && (is_over || (queue.is_exhausted && queue.ready.is_empty())) {
                break;
            }
            self.wait(&mut queue, &mut sending, knows_doubles, is_over, report).await;
        }
        report.not_done.skip("not_reached", queue.ready.len() as u64);
        queue.end.map_or(Ok(()), Err)
    }

    /// Waits for an answer, for the turn of the next request, or for the end of the run.
    async fn wait(
        &self,
        queue: &mut Queue,
        sending: &mut Sending,
        knows_doubles: bool,
        is_over: bool,
        report: &mut Report,
    ) {
        let turn = sending.next_turn().filter(|_| !is_over && !queue.ready.is_empty());
        let turn = async {
            match turn {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let mut answer = tokio::select! {
            answer = sending.answer(), if !sending.is_idle() => answer,
            () = turn => None,
            _ = self.run.halted(), if !is_over => None,
        };
        while let Some((id, what)) = answer {
            self.answered(queue, id, what, knows_doubles, report);
            answer = sending.answered();
        }
    }

    fn answered(&self, queue: &mut Queue, id: i64, answer: Option<Answer>, knows_doubles: bool, report: &mut Report) {
        let Some(ready) = queue.sent.remove(&id) else { return };
        let (outcome, omen) = match answer {
            None => (Outcome::not_sent(id), Omen::Good),
            Some(answer) => {
                let sent = Sent {
                    id,
                    to: &ready.to,
                    attempts: ready.due.attempts + 1,
                    max_attempts: self.job.max_attempts,
                    knows_doubles,
                };
                Outcome::of_answer(&sent, answer, self.now())
            }
        };
        match omen {
            Omen::Good => queue.unreachable = 0,
            Omen::Setup(code) => stop(queue, channel_stopped(self.job, &code)),
            Omen::Unreachable(code) => {
                queue.unreachable += 1;
                if queue.unreachable >= UNREACHABLE_MAX {
                    stop(queue, unreachable(self.job, &code));
                }
            }
        }
        tally(report, &outcome);
        queue.outcomes.push(outcome);
    }

    /// Writes the outcomes, and marks and sends the next messages, in one transaction.
    async fn write(
        &self,
        queue: &mut Queue,
        sending: &mut Sending,
        next: usize,
        report: &mut Report,
    ) -> Result<(), Halt> {
        if next == 0 && queue.outcomes.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = queue.ready.iter().take(next).map(|ready| ready.due.id).collect();
        let (marked_at, now, outcomes) = (Moment::now(), self.now(), &queue.outcomes);
        let options = WriteOptions { after_stop: true, ..WriteOptions::default() };
        let marked = self
            .run
            .write("marking messages as SENDING", options, async |tx| {
                settle::write(tx, self.run.id, self.job.channel, outcomes, now).await?;
                for (code, ids) in failed(outcomes) {
                    let what = (code.as_str(), "the message was not delivered, or may not have been");
                    record_failed_items(tx, self.run.id, "notification", &ids, what).await?;
                }
                if ids.is_empty() {
                    return Ok(vec![]);
                }
                let rows = MARK.all(tx, &[&ids, &self.run.id, &now]).await?;
                Ok(rows.iter().map(|row| row.get::<_, i64>("id")).collect())
            })
            .await?;
        queue.outcomes.clear();
        for ready in queue.ready.drain(..next).collect::<Vec<_>>() {
            if !marked.contains(&ready.due.id) {
                report.not_done.skip("changed", 1);
                continue;
            }
            sending.send(ready.due.message(self.job.channel, ready.to.clone(), now), marked_at);
            queue.sent.insert(ready.due.id, ready);
        }
        Ok(())
    }
}

/// Counts an outcome.
fn tally(report: &mut Report, outcome: &Outcome) {
    let code = || outcome.reason.clone().unwrap_or_default();
    match outcome.status {
        Status::Sent => report.sent += 1,
        Status::Pending if outcome.reason.as_deref() == Some("QUIET_HOURS") => report.not_done.skip("quiet_hours", 1),
        Status::Pending => report.not_done.skip("tried_again_later", 1),
        Status::Expired => report.not_done.skip("expired", 1),
        Status::Suppressed => report.not_done.skip("suppressed", 1),
        Status::Failed => report.not_done.fail("notification", outcome.id, &code()),
        Status::Uncertain => report.not_done.fail("notification", outcome.id, "UNCERTAIN"),
    }
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

fn stop(queue: &mut Queue, error: Error) {
    queue.end.get_or_insert(Halt::Failed(error));
}

fn channel_stopped(job: &DeliverNotifications, code: &str) -> Error {
    let message = format!(
        "the provider of {} refuses us ({code}): nothing more was sent, all messages stay PENDING; look at the account, \
         the sender and the key (docs/notifications.md)",
        job.channel.stored()
    );
    Error::new("CHANNEL_STOPPED", ErrorKind::Other, message)
}

fn unreachable(job: &DeliverNotifications, code: &str) -> Error {
    let message = format!(
        "the provider of {} cannot be reached ({code}): nothing more was sent, all messages stay PENDING",
        job.channel.stored()
    );
    Error::new("PROVIDER_UNREACHABLE", ErrorKind::Other, message)
}
