//! How a job stages a notification: in the statement of the change itself, so that there is never one without the other.
//!
//! A job's SQL makes a CTE `staged` (recipient_kind, recipient_id, address, channel, type, priority, title, body, metadata,
//! entity, entity_id, episode, suppressed, expires_at, staged_at, run_id) and then says `{outbox}`, which makes the CTE
//! `notified` (status) from it. `episode` names the event (a log row, an alert), so that it is told once and the next
//! event is told again.

/// The CTE that inserts what is staged.
pub const NOTIFIED: &str = include_str!("outbox.part.sql");
