//! Stored instants that the database's clock has not reached.
//!
//! The clock can be put back, and a server that takes over can have an earlier one. A row that was written before then
//! lies in the future, maybe for weeks. Rule: what lies in the future by more than a minute is neither alive nor recent.
//! So no instant is compared with the clock on one side only.

/// Whether an instant has passed, in SQL. A minute is allowed, because the clocks of servers differ a little. The clock is
/// read once a statement, so that an index can serve.
pub fn has_passed(instant: &str) -> String {
    format!("{instant} <= (SELECT clock_timestamp() + interval '1 minute')")
}
