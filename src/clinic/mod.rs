//! The domain that jobs and commands share: actors, local time, tickets, the outbox, provider identifiers.

pub mod actor;
pub mod local_time;
pub mod npi;
pub mod outbox;
pub mod tickets;

use crate::db::Statement;

/// Every statement of this room.
pub fn statements() -> impl Iterator<Item = &'static Statement> {
    [actor::STATEMENTS, local_time::STATEMENTS].into_iter().flatten().copied()
}
