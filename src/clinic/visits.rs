//! Visits: when one is, and those that a ledger names by text.

use tokio_postgres::Transaction;

use crate::clinic::local_time::{clock_time, day};
use crate::db::{self, Key, statements};
use crate::error::Error;

statements! {
    // For a ledger that is older than the type of the keys. It reads all visits.
    EXISTING_AS_TEXT(TEXT_ARRAY) = "SELECT a.id::text FROM appointments a WHERE a.id::text = ANY ($1)";
}

/// The joins of a visit `a` with its facility, its doctor and the instant of its start, in SQL. `now` is the instant, and
/// `zones` the facilities whose time zone cannot be read.
pub fn joins_of_visit(now: &str, zones: &str) -> String {
    format!(
        include_str!("visit.part.sql"),
        day = day("a.appointment_date"),
        start_time = clock_time("a.start_time"),
        now = now,
        zones = zones
    )
}

/// Reads by the keys of visits that a ledger names, where some may be no values of the key's type.
pub async fn read_by<T>(
    tx: &Transaction<'_>,
    visits: &[Key],
    read: impl AsyncFn(&[Key]) -> Result<T, Error>,
) -> Result<T, Error> {
    db::read_by(tx, visits, &EXISTING_AS_TEXT, read).await
}
