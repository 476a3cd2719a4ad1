//! The outbox: a job stages notifications in the statement of the change itself, so that neither is committed without
//! the other.
//!
//! A job's SQL defines the CTE `staged` and then says `{outbox}`, which defines the CTE `notified` from it: see the
//! part. The column `episode` names the event (a log row, an alert), so that each event is notified once.

/// The CTE that inserts the staged notifications.
pub const NOTIFIED: &str = include_str!("outbox.part.sql");
