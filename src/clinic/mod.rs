//! The domain that jobs and commands share: actors, alerts, what a job needs of the clinic's tables, local time,
//! tickets, the outbox, provider identifiers.

pub mod actor;
pub mod alerts;
pub mod fit;
pub mod local_time;
pub mod npi;
pub mod outbox;
pub mod tickets;
pub mod visits;

use crate::db::statements;

statements! {
    of actor, fit, local_time, tickets, visits;
}
