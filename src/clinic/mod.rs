//! The domain that jobs and commands share: actors, alerts, local time, tickets, the outbox, provider identifiers.

pub mod actor;
pub mod alerts;
pub mod local_time;
pub mod npi;
pub mod outbox;
pub mod tickets;

use crate::db::statements;

statements! {
    of actor, local_time, tickets;
}
