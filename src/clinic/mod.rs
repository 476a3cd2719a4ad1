//! The domain that jobs and commands share: actors, alerts, what a job needs of the clinic's tables, local time,
//! tickets, the parents of rows, the outbox, provider identifiers.

pub mod actor;
pub mod alerts;
pub mod fit;
pub mod local_time;
pub mod npi;
pub mod outbox;
pub mod parents;
pub mod tickets;
pub mod visits;

use crate::db::statements;

// Who uses `local_time`, `tickets` or `visits` lists their statements.
statements! {
    of actor, fit;
}
