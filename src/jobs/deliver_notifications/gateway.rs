//! The providers of the channels, and their options. To add a provider: implement `Provider` in a file of `clients/`,
//! add its options to `Options` and a choice to `Gateway`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::clients::provider::{Answer, Found, Message, Progress, Provider};
use crate::clients::webhook::Webhooks;
use crate::error::{Error, ErrorKind};
use crate::file;

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
#[derive(Args, Debug, Default)]
pub struct Options {
    /// File with the endpoints of webhooks, such as a mounted secret: a TOML table each, `[pager]`, with `url` and
    /// `secret` (whsec_ and base64). The variable may hold the text itself
    #[arg(long, env = "ROUNDS_WEBHOOK_ENDPOINTS", hide_env_values = true, value_name = "PATH")]
    pub webhook_endpoints: Option<PathBuf>,
}

pub enum Gateway {
    Webhook(Webhooks),
}

impl Gateway {
    /// Refuses what is missing or wrong before anything is sent.
    pub fn open(channel: Channel, options: &Options) -> Result<Self, Error> {
        match channel {
            Channel::Webhook => {
                let path = given(options.webhook_endpoints.as_deref(), "--webhook-endpoints")?;
                // A container may have the text itself in the variable, and no file.
                match path.to_str().filter(|text| text.contains('\n')) {
                    Some(text) => Ok(Self::Webhook(Webhooks::new(text)?)),
                    None => Ok(Self::Webhook(Webhooks::new(&read(path, "--webhook-endpoints")?)?)),
                }
            }
            Channel::Sms | Channel::Email => Err(refused("no provider is configured for this channel".into())),
        }
    }
}

fn given<'a, T: ?Sized>(value: Option<&'a T>, option: &str) -> Result<&'a T, Error> {
    value.ok_or_else(|| refused(format!("this channel needs {option}")))
}

fn read(path: &Path, option: &str) -> Result<String, Error> {
    file::text(path, file::VALUE_MAX).map_err(|why| refused(format!("{option} {}: {why}", path.display())))
}

fn refused(message: String) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}

impl Provider for Gateway {
    fn knows_doubles(&self) -> bool {
        match self {
            Self::Webhook(webhook) => webhook.knows_doubles(),
        }
    }

    fn reports(&self) -> bool {
        match self {
            Self::Webhook(webhook) => webhook.reports(),
        }
    }

    async fn send(&self, message: &Message) -> Answer {
        match self {
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }

    async fn find(&self, message: &Message) -> Found {
        match self {
            Self::Webhook(webhook) => webhook.find(message).await,
        }
    }

    async fn ask(&self, id: &str) -> Progress {
        match self {
            Self::Webhook(webhook) => webhook.ask(id).await,
        }
    }
}
