//! The outbox: a job stages notifications in the statement of the change itself, so that neither is committed without
//! the other.
//!
//! A job's SQL defines the CTE `staged` and then says `{outbox}`, which defines the CTE `notified` from it: see the
//! part. Title and body are cut at a limit: a text of the clinic may be of any length, and a notice is repeated for each
//! recipient. A name in them is cut by `db::cut_name` before it is, so that it does not push out what follows. The column `episode` names the event (a log row, an alert), so that each event is notified once.

use crate::db::cut;

/// The longest title and the longest body, in characters.
pub const TITLE_MAX: usize = 200;
pub const BODY_MAX: usize = 2_000;

/// The CTE that inserts the staged notifications.
pub fn notified() -> String {
    let title = passive(&cut("title", TITLE_MAX), "\\u0001-\\u001f");
    let body = passive(&cut("body", BODY_MAX), "\\u0001-\\u0009\\u000b-\\u001f");
    format!(include_str!("outbox.part.sql"), title = title, body = body)
}

/// A text without what would be acted upon where it is shown, in SQL. `controls` are the control characters of ASCII
/// that it may not have: of a title all, so that it is one line.
fn passive(text: &str, controls: &str) -> String {
    format!(include_str!("passive.part.sql"), text = text, controls = controls).trim_end().to_owned()
}
