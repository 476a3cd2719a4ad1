//! `rounds deliver-notifications`: sends what was staged for SMS, e-mail and webhooks, once.
//!
//! Rule: a message is sent if and only if it is PENDING, its next attempt is due, it is younger than `--max-age` and
//! not over, what it is about still holds, its recipient has an address and may be written to there, a NORMAL one to a
//! patient is within `--patient-cap` and not in the facility's quiet hours, and its address is on the allow-list, if
//! there is one.
//!
//! Safe to run again: a message becomes SENDING in a transaction behind the fence, just before its own request leaves,
//! and SENT when the provider has accepted it. What a run that died left SENDING is looked up, or sent again where the
//! provider knows doubles; else it is UNCERTAIN, and a person decides. So a kill leaves at most one message uncertain
//! for each request that was under way.
//!
//! Leaves alone: IN_APP, which the clinic's application shows; UNCERTAIN messages; and rows that are locked by another
//! session, which are left to the next run.
//!
//! `deliver` runs the steps: `stranded` (what dead runs left), `due` (a page of messages), `facts` and `decide` (what
//! becomes of each), `sending` (the requests), `settle` (their outcomes), `told` (who was told), `follow_up` (what the
//! provider says later). `gateway` knows the providers and their options.

mod decide;
mod deliver;
mod due;
mod facts;
mod follow_up;
pub mod gateway;
pub mod number;

mod quiet;
mod sending;
mod settle;

mod sms_text;
mod stranded;
pub mod told;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_postgres::Transaction;

use crate::arg::{positive_duration, whole};
use crate::clinic::templates::Templates;
use crate::db::{Key, statements};
use crate::error::Error;
use crate::run::{Counts, Halt, Job, NotDone, Run, RunArgs, as_text};
use deliver::Deliverer;
use gateway::{Channel, Gateway, Options};
use number::Country;
use quiet::QuietHours;

statements! {
    of deliver, due, facts, follow_up, settle, stranded, told;
    OLDEST(TEXT, TIMESTAMPTZ) =
        // For each priority, so that the index has the answer.
        "SELECT min(x.due_since) AS due_since
         FROM (VALUES ('HIGH'), ('NORMAL')) p (priority)
         CROSS JOIN LATERAL (
             SELECT COALESCE(n.next_attempt_at, n.created_at) AS due_since FROM notifications n
             WHERE n.status = 'PENDING' AND n.channel = $1 AND n.priority = p.priority
               AND COALESCE(n.next_attempt_at, n.created_at) <= $2
             ORDER BY COALESCE(n.next_attempt_at, n.created_at) LIMIT 1
         ) x";
}

/// Send what was staged for a channel: SMS, e-mail or webhooks
#[derive(Args, Serialize)]
pub struct DeliverNotifications {
    /// What is sent by this run
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Channel,
    /// The most requests in a second
    #[arg(long, env = "ROUNDS_PER_SECOND", value_name = "REQUESTS", default_value_t = 10, value_parser = whole::<u32>(1..=10_000))]
    pub per_second: u32,
    /// The most requests under way at once: so many messages may be uncertain after a kill
    #[arg(long, env = "ROUNDS_CONCURRENCY", value_name = "REQUESTS", default_value_t = 8, value_parser = whole::<u32>(1..=64))]
    pub concurrency: u32,
    /// How often a message is tried that the provider does not take
    #[arg(long, env = "ROUNDS_MAX_ATTEMPTS", value_name = "ATTEMPTS", default_value_t = 6, value_parser = whole::<u32>(1..=20))]
    pub max_attempts: u32,
    /// Older messages are not sent any more; they become EXPIRED
    #[arg(long, env = "ROUNDS_MAX_AGE", value_name = "DURATION", default_value = "24h", value_parser = positive_duration)]
    #[serde(serialize_with = "as_text")]
    pub max_age: Duration,
    /// When NORMAL messages to patients wait until the end, by the facility's clock; `off`: never. SMS only
    #[arg(long, env = "ROUNDS_QUIET_HOURS", value_name = "HH:MM-HH:MM", default_value = "22:00-07:00", value_parser = quiet::parse)]
    pub quiet_hours: QuietHours,
    /// The most NORMAL messages to one patient and channel in 24 hours; the rest is SUPPRESSED
    #[arg(long, env = "ROUNDS_PATIENT_CAP", value_name = "MESSAGES", default_value_t = 5, value_parser = whole::<u32>(1..=1000))]
    pub patient_cap: u32,
    /// The country of numbers without a country code, where the facility has none
    #[arg(long, env = "ROUNDS_COUNTRY", value_name = "ISO_CODE", default_value = "US", value_parser = number::country)]
    pub country: Country,
    /// Send to these numbers, addresses and endpoints alone, separated by commas: for places that are not production
    #[arg(long, env = "ROUNDS_DELIVER_ONLY_TO", hide_env_values = true, value_name = "ADDRESS", value_delimiter = ',')]
    #[serde(skip)]
    pub only_to: Option<Vec<String>>,
    /// Folder with texts of the clinic's own, a file a type and channel; what is not there is ours
    #[arg(long, env = "ROUNDS_TEMPLATES", value_name = "DIR")]
    #[serde(skip)]
    pub templates: Option<PathBuf>,
    #[command(flatten)]
    #[serde(skip)]
    pub options: Options,
}

/// scanned = sent + skipped + failed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    scanned: u64,
    /// Accepted by the provider.
    sent: u64,
    /// What dead runs had left, by what became of it.
    #[serde(skip_serializing_if = "is_zero")]
    settled: u64,
    /// Accepted by earlier runs: how many the provider was asked about, and how many it says have arrived.
    #[serde(skip_serializing_if = "is_zero")]
    asked: u64,
    #[serde(skip_serializing_if = "is_zero")]
    delivered: u64,
    /// UNCERTAIN messages that were found with the provider, and so were sent.
    #[serde(skip_serializing_if = "is_zero")]
    found: u64,
    /// Too old or over before they were looked at; not among the scanned.
    #[serde(skip_serializing_if = "is_zero")]
    expired: u64,
    #[serde(flatten)]
    not_done: NotDone,
}

/// A count of zero is left out where it is the rule.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl crate::run::Report for Report {
    fn counts(&self) -> Counts<'_> {
        Counts { scanned: self.scanned, processed: self.sent, not_done: &self.not_done }
    }
}

impl Job for DeliverNotifications {
    const NAME: &'static str = "deliver-notifications";
    const TELLS: bool = true;
    type Report = Report;
    const ASKS: Option<&'static str> = Some("the providers of messages");

    fn lane(&self) -> String {
        self.channel.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn check(&self, run: &RunArgs) -> Result<(), Error> {
        Templates::read(self.templates.as_deref())?;
        if run.common.dry_run { Ok(()) } else { Gateway::open(self.channel, &self.options).map(drop) }
    }

    async fn oldest_due(
        &self,
        tx: &Transaction<'_>,
        now: DateTime<Utc>,
        _facility: Option<&Key>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(OLDEST.one(tx, &[&self.channel.stored(), &now]).await?.get("due_since"))
    }

    async fn run(&self, run: &Run, report: &mut Report) -> Result<(), Halt> {
        Deliverer::new(self, run)?.deliver(report).await
    }
}
