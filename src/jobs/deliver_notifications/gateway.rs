//! The providers of the channels, and their options. To add a provider: implement `Provider` in a file of `clients/`,
//! put its options into a file here, and add a choice to `Gateway`.

mod option;
mod sms;
mod smtp;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::clients::provider::{Answer, Found, Message, Progress, Provider};
use crate::clients::smtp::Smtp;
use crate::clients::twilio::Twilio;
use crate::clients::webhook::Webhooks;
use crate::error::Error;
use option::{given, read};
use sms::SmsOptions;
use smtp::SmtpOptions;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Sms,
    Email,
    Webhook,
}

impl Channel {
    /// As the outbox has it.
    pub fn stored(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Email => "EMAIL",
            Self::Webhook => "WEBHOOK",
        }
    }
}

/// What the providers need.
#[derive(Args)]
pub struct Options {
    /// File with the endpoints of webhooks, such as a mounted secret: a TOML table each, `[pager]`, with `url` and
    /// `secret` (whsec_ and base64). The variable may hold the text itself
    #[arg(long, env = "ROUNDS_WEBHOOK_ENDPOINTS", hide_env_values = true, value_name = "PATH")]
    pub webhook_endpoints: Option<PathBuf>,
    #[command(flatten)]
    pub sms: SmsOptions,
    #[command(flatten)]
    pub smtp: SmtpOptions,
}

/// The provider of a channel.
pub enum Gateway {
    Sms(Box<Twilio>),
    Email(Box<Smtp>),
    Webhook(Webhooks),
}

/// The same of whichever provider it is.
macro_rules! of_each {
    ($gateway:ident, $provider:ident => $what:expr) => {
        match $gateway {
            Self::Sms($provider) => $what,
            Self::Email($provider) => $what,
            Self::Webhook($provider) => $what,
        }
    };
}

impl Gateway {
    /// Refuses what is missing or wrong before anything is sent.
    pub fn open(channel: Channel, options: &Options) -> Result<Self, Error> {
        match channel {
            Channel::Sms => Ok(Self::Sms(Box::new(options.sms.open()?))),
            Channel::Email => Ok(Self::Email(Box::new(options.smtp.open()?))),
            Channel::Webhook => {
                let path = given(options.webhook_endpoints.as_deref(), "--webhook-endpoints")?;
                // A container may have the text itself in the variable, and no file.
                match path.to_str().filter(|text| text.contains('\n')) {
                    Some(text) => Ok(Self::Webhook(Webhooks::new(text)?)),
                    None => Ok(Self::Webhook(Webhooks::new(&read(path, "--webhook-endpoints")?)?)),
                }
            }
        }
    }
}

impl Provider for Gateway {
    fn knows_doubles(&self) -> bool {
        of_each!(self, provider => provider.knows_doubles())
    }

    fn holds(&self) -> bool {
        of_each!(self, provider => provider.holds())
    }

    fn reports(&self) -> bool {
        of_each!(self, provider => provider.reports())
    }

    async fn send(&self, message: &Message) -> Answer {
        of_each!(self, provider => provider.send(message).await)
    }

    async fn find(&self, message: &Message) -> Found {
        of_each!(self, provider => provider.find(message).await)
    }

    async fn ask(&self, id: &str) -> Progress {
        of_each!(self, provider => provider.ask(id).await)
    }
}
