//! What became of messages that the provider has accepted, or may have: it is asked about them.
//!
//! Rule: the provider is asked about an accepted message 10 minutes after it was sent, and then every hour, until it
//! says how it ended or 24 hours are over. It is searched for an UNCERTAIN message in each run for 10 minutes, and then
//! every hour, as long. None is ever sent again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::due::MESSAGE;
use super::gateway::{Channel, Gateway};
use super::number::Country;
use super::sending::Pace;
use super::settle::{self, Bar, word};
use super::sought::{Search, taken};
use crate::clients::provider::{Barred, Found, Progress, Provider as _, Receipt};
use crate::clinic::templates::Templates;
use crate::db::statements;
use crate::run::{Halt, Run, WriteOptions, record_failed_items};

statements! {
    UNCONFIRMED(TEXT, TIMESTAMPTZ, INT8) = include_str!("unconfirmed.sql");
    FOLLOW_UP(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ) = include_str!("follow_up.sql");
    UNCERTAIN(TEXT, TIMESTAMPTZ, INT8) = format!(include_str!("uncertain.sql"), message = MESSAGE);
    LOOKED_UP(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ) = include_str!("looked_up.sql");
}

/// How many messages are asked about together, and written together.
const PAGE: i64 = 50;
/// How many messages a run asks about: those that are to be sent next wait for it.
const RUN_MAX: usize = 200;
/// After so many questions in a row without an answer no more is asked.
const SILENT_MAX: u32 = 5;
/// The end of the last question, after the message was sent; and what lies between two.
const ASKED_FOR: TimeDelta = TimeDelta::hours(24);
const EVERY: TimeDelta = TimeDelta::hours(1);
/// Why an accepted message is asked about no more: the provider has not said that it arrived.
const UNCONFIRMED_END: &str = "UNCONFIRMED";

pub struct FollowUp<'a> {
    pub run: &'a Run,
    pub gateway: Arc<Gateway>,
    pub templates: &'a Templates,
    pub channel: Channel,
    pub country: Country,
    pub slots: usize,
    pub per_second: u32,
    /// Nothing is asked after it.
    pub until: Instant,
}

/// What the provider said.
#[derive(Debug, Default)]
pub struct Told {
    pub asked: u64,
    pub delivered: u64,
    /// UNCERTAIN messages that were found with the provider.
    pub found: u64,
    /// What did not arrive, with the code.
    pub failed: Vec<(i64, String)>,
}

/// An accepted message.
struct Accepted {
    id: i64,
    provider_id: String,
    sent_at: DateTime<Utc>,
}

impl FollowUp<'_> {
    pub async fn ask(&self, now: impl Fn() -> DateTime<Utc>) -> Result<Told, Halt> {
        let mut told = Told::default();
        self.look_up(now(), &mut told).await?;
        while (told.asked as usize) < RUN_MAX && Instant::now() < self.until {
            let accepted = self.unconfirmed(now()).await?;
            let expected = accepted.len();
            let answers = self.answers(accepted).await?;
            let answered = answers.len();
            self.write(answers, now(), &mut told).await?;
            if answered < expected || expected < PAGE as usize {
                break;
            }
        }
        Ok(told)
    }

    async fn unconfirmed(&self, now: DateTime<Utc>) -> Result<Vec<Accepted>, Halt> {
        let read = "looking for messages that the provider has accepted";
        self.run
            .read(read, async |tx| {
                let rows = UNCONFIRMED.all(tx, &[&self.channel.stored(), &now, &PAGE]).await?;
                let accepted = rows.iter().map(|row| Accepted {
                    id: row.get("id"),
                    provider_id: row.get("provider_id"),
                    sent_at: row.get("sent_at"),
                });
                Ok(accepted.collect())
            })
            .await
    }

    /// Asks about messages at the pace of the run. What is not asked about in time has no answer.
    async fn answers(&self, accepted: Vec<Accepted>) -> Result<Vec<(Accepted, Progress)>, Halt> {
        let (mut waiting, mut answers) = (accepted.into_iter(), vec![]);
        let (mut pace, mut silent) = (Pace::new(self.per_second), 0);
        let mut questions: JoinSet<(Accepted, Progress)> = JoinSet::new();
        loop {
            let is_over = silent >= SILENT_MAX || Instant::now() >= self.until;
            while !is_over && questions.len() < self.slots && pace.allowed(Instant::now()) > 0 {
                let Some(one) = waiting.next() else { break };
                pace.take();
                let gateway = self.gateway.clone();
                questions.spawn(async move {
                    let progress = gateway.ask(&one.provider_id).await;
                    (one, progress)
                });
            }
            let may_ask = !is_over && questions.len() < self.slots && waiting.len() > 0;
            if questions.is_empty() && !may_ask {
                return Ok(answers);
            }
            tokio::select! {
                Some(ended) = questions.join_next(), if !questions.is_empty() => {
                    let Ok((one, progress)) = ended else { continue };
                    silent = if progress == Progress::Underway(None) { silent + 1 } else { 0 };
                    answers.push((one, progress));
                }
                () = sleep_until(pace.next()), if may_ask => {}
                // A question that is not answered changes nothing: the next run asks it.
                halt = self.run.halted() => return Err(halt),
            }
        }
    }

    async fn write(&self, answers: Vec<(Accepted, Progress)>, now: DateTime<Utc>, told: &mut Told) -> Result<(), Halt> {
        let ids: Vec<i64> = answers.iter().map(|(one, _)| one.id).collect();
        let mut ends: Vec<Written> = answers.iter().map(|(one, progress)| Written::of(one, progress, now)).collect();
        let column = |of: fn(&Written) -> Option<&str>| -> Vec<Option<&str>> { ends.iter().map(of).collect() };
        let words = column(|end| end.word.as_deref());
        let fates = column(|end| Some(end.fate.stored()));
        let reasons = column(|end| end.reason.as_deref());
        if ids.is_empty() {
            return Ok(());
        }
        self.run
            .write("noting what became of messages", WriteOptions::default(), async |tx| {
                FOLLOW_UP.execute(tx, &[&ids, &words, &fates, &reasons, &now]).await?;
                let mut failed: HashMap<&str, Vec<String>> = HashMap::new();
                for ((one, progress), end) in answers.iter().zip(&ends) {
                    let Progress::Failed { barred, .. } = progress else { continue };
                    let code = end.reason.as_deref().unwrap_or_default();
                    failed.entry(code).or_default().push(one.id.to_string());
                    if let Some(Barred { to, opted_out }) = barred {
                        let reason = if *opted_out { "OPTED_OUT" } else { "UNREACHABLE" };
                        let bar = Bar { address: to, reason, code };
                        settle::suppress(tx, self.channel, one.id, &bar, now).await?;
                    }
                }
                for (code, ids) in failed {
                    let what = (code, "the provider has accepted the message, and did not deliver it");
                    record_failed_items(tx, self.run.id, "notification", &ids, what).await?;
                }
                Ok(())
            })
            .await?;
        told.asked += ids.len() as u64;
        told.delivered += ends.iter().filter(|end| end.fate == Fate::Delivered).count() as u64;
        let failed = ends.iter_mut().zip(&ids).filter(|(end, _)| end.fate == Fate::Failed);
        told.failed.extend(failed.map(|(end, id)| (*id, end.reason.take().unwrap_or_default())));
        Ok(())
    }

    /// Searches the provider's list for UNCERTAIN messages.
    async fn look_up(&self, now: DateTime<Utc>, told: &mut Told) -> Result<(), Halt> {
        let search =
            Search { gateway: &self.gateway, templates: self.templates, channel: self.channel, country: self.country };
        let uncertain = self
            .run
            .read("looking for messages that may have been sent", async |tx| {
                let rows = UNCERTAIN.all(tx, &[&self.channel.stored(), &now, &PAGE]).await?;
                search.messages(tx, &rows).await
            })
            .await?;
        let (mut looked_up, mut pace) = (vec![], Pace::new(self.per_second));
        for sought in &uncertain {
            if Instant::now() >= self.until {
                break;
            }
            self.run.checkpoint()?;
            while pace.allowed(Instant::now()) == 0 {
                sleep_until(pace.next()).await;
            }
            pace.take();
            let found = search.find(sought).await;
            looked_up.push((sought.due.id, if let Found::One(receipt) = found { receipt } else { Receipt::default() }));
        }
        if looked_up.is_empty() {
            return Ok(());
        }
        let write = "noting what was found of messages that may have been sent";
        told.found += self
            .run
            .write(write, WriteOptions::default(), async |tx| {
                let ids: Vec<i64> = looked_up.iter().map(|(id, _)| *id).collect();
                let sids: Vec<Option<&str>> = looked_up.iter().map(|(_, receipt)| receipt.id.as_deref()).collect();
                let words: Vec<Option<&str>> = looked_up.iter().map(|(_, receipt)| receipt.status.as_deref()).collect();
                let taken = taken(tx, &sids).await?;
                let sids: Vec<Option<&str>> =
                    sids.into_iter().map(|sid| sid.filter(|sid| !taken.contains(*sid))).collect();
                LOOKED_UP.execute(tx, &[&ids, &sids, &words, &now]).await?;
                Ok(sids.iter().flatten().count() as u64)
            })
            .await?;
        Ok(())
    }
}

/// What became of an accepted message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    Failed,
    /// Nothing final.
    Sent,
}

impl Fate {
    /// As the statement has it.
    fn stored(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
            Self::Sent => "SENT",
        }
    }
}

/// What is written of an answer.
struct Written {
    fate: Fate,
    reason: Option<String>,
    word: Option<String>,
}

impl Written {
    fn of(one: &Accepted, progress: &Progress, now: DateTime<Utc>) -> Self {
        match progress {
            Progress::Delivered(said) => Self { fate: Fate::Delivered, reason: None, word: Some(word(said)) },
            Progress::Failed { status, code, .. } => {
                Self { fate: Fate::Failed, reason: Some(code.to_string()), word: Some(word(status)) }
            }
            Progress::Underway(said) => {
                // The next question would come too late.
                let is_last = now - one.sent_at > ASKED_FOR - EVERY;
                let reason = is_last.then(|| UNCONFIRMED_END.to_owned());
                Self { fate: Fate::Sent, reason, word: said.as_deref().map(word) }
            }
        }
    }
}
