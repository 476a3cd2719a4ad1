//! Rows of our tables that the database does not keep.

use crate::error::{Error, ErrorKind};

/// The error of rows of a table of ours that were inserted without an error and are not there.
pub fn dropped(relation: &str, stored: u64, meant: u64) -> Error {
    let message = format!(
        "{relation} has taken {stored} of {meant} rows: a rule or a trigger on it drops the others; what needs them as \
         evidence was not done. Look for rules and triggers on {relation}, and drop them"
    );
    Error::new("EVIDENCE_LOST", ErrorKind::Other, message)
}
