//! How dates and times are written in the messages that people read.
//!
//! There is one form of each, in English: `Monday 2026-03-02, 14:30` and `14:30`, and `Jan 22` of a day that is near. It is ours, so no setting of the
//! server, the database or the role changes it. The order of year, month and day is the one that is read alike
//! everywhere, and the weekday is what people remember.
//!
//! A message has no other dates: a test looks at the statements.

use chrono::{DateTime, Utc};

/// A local date and time as people read it, in SQL, from an expression of type timestamp.
pub fn moment(expression: &str) -> String {
    format!("to_char({expression}, 'FMDay YYYY-MM-DD, HH24:MI')")
}

/// A local time of day as people read it, in SQL, from an expression of type time or timestamp.
pub fn clock(expression: &str) -> String {
    format!("to_char({expression}, 'HH24:MI')")
}

/// A day of this year as people say it, in SQL, from an expression of type date or timestamp: `Jan 22`.
pub fn short_day(expression: &str) -> String {
    format!("to_char({expression}, 'FMMon FMDD')")
}

/// An instant as people read it, where no local time is known.
pub fn moment_utc(instant: DateTime<Utc>) -> String {
    instant.format("%A %Y-%m-%d, %H:%M UTC").to_string()
}
