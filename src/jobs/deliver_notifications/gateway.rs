//! The providers of the channels, and their options. To add a provider: implement `Provider` in a file of `clients/`,
//! add its options to `Options` and a choice to `Gateway`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::option::{given, read, refused};
use super::sms::SmsOptions;
use crate::clients::provider::{Answer, Found, Message, Progress, Provider};
use crate::clients::twilio::Twilio;
use crate::clients::webhook::Webhooks;
use crate::error::Error;

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
    /// `secret` (whsec_ and base64)
    #[arg(long, env = "ROUNDS_WEBHOOK_ENDPOINTS", value_name = "PATH")]
    pub webhook_endpoints: Option<PathBuf>,
    #[command(flatten)]
    pub sms: SmsOptions,
}

pub enum Gateway {
    Sms(Box<Twilio>),
    Webhook(Webhooks),
}

impl Gateway {
    /// Refuses what is missing or wrong before anything is sent.
    pub fn open(channel: Channel, options: &Options) -> Result<Self, Error> {
        match channel {
            Channel::Webhook => {
                let path = given(options.webhook_endpoints.as_deref(), "--webhook-endpoints")?;
                Ok(Self::Webhook(Webhooks::new(&read(path, "--webhook-endpoints")?)?))
            }
            Channel::Sms => Ok(Self::Sms(Box::new(options.sms.open()?))),
            Channel::Email => Err(refused("no provider is configured for this channel".into())),
        }
    }
}

impl Provider for Gateway {
    fn knows_doubles(&self) -> bool {
        match self {
            Self::Sms(twilio) => twilio.knows_doubles(),
            Self::Webhook(webhook) => webhook.knows_doubles(),
        }
    }

    fn reports(&self) -> bool {
        match self {
            Self::Sms(twilio) => twilio.reports(),
            Self::Webhook(webhook) => webhook.reports(),
        }
    }

    async fn send(&self, message: &Message) -> Answer {
        match self {
            Self::Sms(twilio) => twilio.send(message).await,
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }

    async fn find(&self, message: &Message) -> Found {
        match self {
            Self::Sms(twilio) => twilio.find(message).await,
            Self::Webhook(webhook) => webhook.find(message).await,
        }
    }

    async fn ask(&self, id: &str) -> Progress {
        match self {
            Self::Sms(twilio) => twilio.ask(id).await,
            Self::Webhook(webhook) => webhook.ask(id).await,
        }
    }
}
