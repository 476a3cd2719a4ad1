//! What is due, page after page, with the verdict on each message.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::args::DeliverNotifications;
use super::decide::{Policy, Verdict};
use super::due::Due;
use super::facts;
use crate::clinic::local_time::before;
use crate::clinic::templates::Templates;
use crate::db::Key;
use crate::run::{Halt, Run};

/// How many messages are looked at together: the facts of each are at most some seconds old when it is sent.
const PAGE: i64 = 64;

/// A run, and what the clinic has decided for its messages.
pub struct Pages<'a> {
    pub job: &'a DeliverNotifications,
    pub run: &'a Run,
    pub began: Instant,
    pub policy: Policy<'a>,
    pub templates: &'a Templates,
}

/// The messages of a page.
pub struct Page {
    pub judged: Vec<(Due, Verdict)>,
    /// No more is due.
    pub is_last: bool,
}

/// How many NORMAL messages patients get that are not SENT yet.
pub type ToBeTold = HashMap<Key, u32>;

impl<'a> Pages<'a> {
    pub fn new(job: &'a DeliverNotifications, run: &'a Run) -> Result<Self, Halt> {
        let policy = Policy {
            channel: job.channel,
            oldest: before(run.now, job.max_age),
            quiet_hours: job.quiet_hours,
            patient_cap: job.patient_cap,
            only_to: job.only_to.as_deref(),
        };
        Ok(Self { job, run, began: Instant::now(), policy, templates: job.texts()? })
    }

    /// The instant of the run, which goes on while it sends.
    pub fn now(&self) -> DateTime<Utc> {
        self.run.now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    /// A page of what is due, without those that are under way, whose patients `told` has. Those of it that are to be sent
    /// are added to it.
    pub async fn next(&self, underway: &[i64], told: &mut ToBeTold) -> Result<Page, Halt> {
        let (channel, now) = (self.job.channel, self.now());
        let (page, facts) = self
            .run
            .read("reading the messages that are due", async |tx| {
                let page = Due::page(tx, channel, now, underway, PAGE).await?;
                let facts = facts::read(tx, (channel, self.job.country), (&page, underway), now).await?;
                Ok((page, facts))
            })
            .await?;
        let is_last = page.len() < PAGE as usize;
        let judged = page.into_iter().zip(facts).map(|(due, facts)| {
            let due = due.rendered(self.templates, channel);
            let patient = due.counted_patient();
            let soon = patient.and_then(|id| told.get(id)).copied().unwrap_or(0);
            let verdict = self.policy.verdict(&due, &facts, facts.told.saturating_add(soon), now);
            if let (Some(id), Verdict::Send(_)) = (patient, &verdict) {
                *told.entry(id.clone()).or_default() += 1;
            }
            (due, verdict)
        });
        Ok(Page { judged: judged.collect(), is_last })
    }
}
