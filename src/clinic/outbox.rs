//! The outbox: a job stages notifications in the statement of the change itself, so that neither is committed without
//! the other.
//!
//! A job's SQL defines the CTE `staged` and then says `{outbox}`, which defines the CTE `notified` from it: see the
//! part. The column `episode` names the event (a log row, an alert), so that each event is notified once.

/// The CTE that inserts the staged notifications.
pub fn notified() -> String {
    format!(include_str!("outbox.part.sql"), title = one_line("title"))
}

/// A text in one line, in SQL.
fn one_line(text: &str) -> String {
    format!(include_str!("one_line.part.sql"), text = text).trim_end().to_owned()
}
