//! The arguments of the job.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::gateway::{Channel, Gateway, Options};
use super::number::{self, Country};
use super::quiet::{self, QuietHours};
use crate::arg::{positive_duration, whole};
use crate::clinic::templates::Templates;
use crate::error::Error;
use crate::run::as_text;

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
    #[arg(skip)]
    #[serde(skip)]
    pub opened: Opened,
}

/// What the options lead to, read once: the run sends with what was checked before it.
#[derive(Default)]
pub struct Opened {
    templates: OnceLock<Templates>,
    gateway: OnceLock<Arc<Gateway>>,
}

impl DeliverNotifications {
    /// The texts of the messages.
    pub fn texts(&self) -> Result<&Templates, Error> {
        let known = &self.opened.templates;
        match known.get() {
            Some(templates) => Ok(templates),
            None => Templates::read(self.templates.as_deref()).map(|templates| known.get_or_init(|| templates)),
        }
    }

    /// The provider of the channel.
    pub fn gateway(&self) -> Result<&Arc<Gateway>, Error> {
        let known = &self.opened.gateway;
        match known.get() {
            Some(gateway) => Ok(gateway),
            None => Gateway::open(self.channel, &self.options).map(|gateway| known.get_or_init(|| Arc::new(gateway))),
        }
    }
}
