//! Messages, as people name them.

use clap::ValueEnum;

use crate::clinic::actor::refused;
use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Pending,
    Sending,
    Uncertain,
    Failed,
    Sent,
    Expired,
    Suppressed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    Sms,
    Email,
    Webhook,
    InApp,
}

/// The error of an id that no message has.
pub fn unknown(id: i64) -> Error {
    refused("UNKNOWN_MESSAGE", format!("there is no message {id}; nothing was done"))
}
