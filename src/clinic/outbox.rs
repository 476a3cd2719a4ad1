//! The outbox: a job stages notifications in the statement of the change itself, so that neither is committed without
//! the other.
//!
//! A job's SQL defines the CTE `staged` and then says `{outbox}`, which defines the CTE `notified` from it: see the
//! part. The column `episode` names the event (a log row, an alert), so that each event is notified once.

/// The CTE that inserts the staged notifications.
pub fn notified() -> String {
    let (title, body) = (passive("title", "\\u0001-\\u001f"), passive("body", "\\u0001-\\u0009\\u000b-\\u001f"));
    format!(include_str!("outbox.part.sql"), title = title, body = body)
}

/// A text without what would be acted upon where it is shown, in SQL. `controls` are the control characters of ASCII
/// that it may not have: of a title all, so that it is one line.
fn passive(text: &str, controls: &str) -> String {
    format!(include_str!("passive.part.sql"), text = text, controls = controls).trim_end().to_owned()
}
